"""A report for people: on a terminal, and as Markdown. Everything in it is data, and is shown as data."""

from libs.cli.report.markdown import report_markdown
from libs.cli.report.terminal import report_view

__all__ = ["report_markdown", "report_view"]
