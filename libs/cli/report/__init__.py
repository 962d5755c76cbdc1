"""A report for people: on a terminal, and as Markdown. Everything in it is data, and is shown as data."""

from libs.cli.report.markdown import report_markdown
from libs.cli.report.terminal import follow_up_view, report_view

__all__ = ["follow_up_view", "report_markdown", "report_view"]
