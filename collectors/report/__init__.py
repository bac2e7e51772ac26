"""The reports of a replay for people: a page in the terminal, and one self-contained HTML file."""

from collectors.report.content import Report
from collectors.report.gather import Gathering
from collectors.report.html import write_html
from collectors.report.terminal import print_report

__all__ = ["Gathering", "Report", "print_report", "write_html"]
