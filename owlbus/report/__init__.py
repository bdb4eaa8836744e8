"""What people look at: the report of a run as one page, and a plan over its demand as one picture."""

from owlbus.report.content import Content, Told
from owlbus.report.map import draw_map, write_map
from owlbus.report.page import report_file, report_html, write_report
from owlbus.report.words import LANGUAGES

__all__ = ["LANGUAGES", "Content", "Told", "draw_map", "report_file", "report_html", "write_map", "write_report"]
