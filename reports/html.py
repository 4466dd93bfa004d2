"""The verdict page: one self-contained file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2

from evalkit.record.override import Override
from evalkit.record.run_record import RunRecord
from reports.chart import margin_plot
from reports.load_chart import load_chart
from reports.plot_layout import NARROW, WIDE
from reports.view import page_of

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_html(record: RunRecord, overrides: Sequence[Override] = ()) -> str:
    """The record as one HTML page, with style and drawing inline."""
    page = page_of(record, overrides)
    plots = [(layout.name, margin_plot(page.plot.rows, layout)) for layout in (WIDE, NARROW) if page.plot.rows]
    load_charts = {each.role: load_chart(each.load) for each in page.loads}
    return TEMPLATES.get_template("page.html").render(page=page, plots=plots, load_charts=load_charts)
