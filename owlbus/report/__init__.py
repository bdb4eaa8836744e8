"""The report of a run as one HTML page."""

from owlbus.report.content import Content, PlanContent
from owlbus.report.page import report_file, report_html, write_report
from owlbus.report.translations import LANGUAGES

__all__ = ["LANGUAGES", "Content", "PlanContent", "report_file", "report_html", "write_report"]
