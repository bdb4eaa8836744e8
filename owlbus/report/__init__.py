"""What people look at: the report of a run as one page, and a plan over its demand as one picture."""

from owlbus.report.content import Content, PlanContent
from owlbus.report.page import report_file, report_html, write_report
from owlbus.report.translations import LANGUAGES

__all__ = ["LANGUAGES", "Content", "PlanContent", "report_file", "report_html", "write_report"]
