"""What people look at: pictures of a plan over the demand it is made for."""

from owlbus.report.map import draw_map, write_map

__all__ = ["draw_map", "write_map"]
