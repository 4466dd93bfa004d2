"""Reports beside the record they are made from."""

from __future__ import annotations

from evalkit.record.layout import RunFolder, write_text
from evalkit.record.override import read_overrides
from evalkit.record.run_record import RunRecord
from reports.html import render_html
from reports.markdown import render_markdown


def write_reports(record: RunRecord, folder: RunFolder) -> None:
    """report.html and report.md in the run folder, with every override that lies there."""
    overrides = read_overrides(folder.root)
    write_text(folder.report_html, render_html(record, overrides))
    write_text(folder.report_markdown, render_markdown(record, overrides))
