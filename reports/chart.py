"""The margin forest plot: quality, latency and cost on one axis, harm ÷ what is allowed.

Drawn with Vega-Altair and turned to SVG by vl-convert. Colours become style-sheet variables, so that one
drawing serves light and dark; every state has its own shape and word beside its colour.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from reports.drawing import BEYOND, INK, MUTED, OF_STATE, PAPER, painted, quiet_axis
from reports.plot_layout import WHOLE_ROW, Layout
from reports.plot_rows import LEFT, RIGHT, PlotRow

BAR = 1.0

SHAPES = {"passed": "circle", "failed": "square", "open": "diamond", "noted": "circle"}
HOLLOW = ("open", "noted")


def margin_plot(rows: Sequence[PlotRow], layout: Layout) -> Markup:
    """The plot of ``rows``, top to bottom, as an inline SVG with title and description."""
    size = {"width": layout.axis_width, "height": layout.row_height * len(rows)}
    chart = (
        alt.layer(*_frame(len(rows), layout), *_bars(rows), *_texts(rows, layout))
        .properties(**size, padding=layout.padding, autosize="none")
        .configure(font="sans-serif", background="transparent", aria=False)
        .configure_view(stroke=None)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _accessible(painted(drawing.getvalue()), rows, layout.name)


def _frame(rows: int, layout: Layout) -> list[alt.Chart]:
    """Shading beyond the bar, and the two lines that mean something: 0 and 1."""
    half, end = layout.frame / 2, alt.Y2("bottom:Q")
    heights = [{"row": at - half, "bottom": at + half} for at in range(rows)]
    if layout.frame == WHOLE_ROW:  # one piece, without seams
        heights = [{"row": -half, "bottom": rows - half}]
    band = _chart([each | {"from": BAR, "to": RIGHT} for each in heights]).mark_rect(color=BEYOND)
    drawn = [band.encode(x=_x("from"), x2="to:Q", y=_y(rows), y2=end)]
    for value, color, width in ((0.0, MUTED, 1), (BAR, INK, 2)):
        line = _chart([each | {"from": value} for each in heights]).mark_rule(color=color, strokeWidth=width)
        drawn.append(line.encode(x=_x("from"), y=_y(rows), y2=end))
    said = [{"from": 0.0, "words": "no harm"}, {"from": BAR, "words": "the bar"}, {"from": 2.0, "words": "too much"}]
    words = _chart(said).mark_text(color=MUTED, fontSize=11, baseline="bottom")
    return [*drawn, words.encode(x=_x("from"), y=alt.value(-8), text="words:N")]


def _bars(rows: Sequence[PlotRow]) -> list[alt.Chart]:
    """Thin from end to end, thick from the estimate to the end that was tested, arrows where the axis ends."""
    y, color = _y(len(rows)), alt.Color("color:N", scale=None)
    thin = [_mark(at, row) | {"from": row.lower, "to": row.upper} for at, row in enumerate(rows)]
    thick = [_mark(at, row) | {"from": row.point, "to": row.tested} for at, row in enumerate(rows)]
    points = [_mark(at, row) | {"from": row.point} for at, row in enumerate(rows) if row.point_is_seen]
    arrows = [_mark(at, row) | arrow for at, row in enumerate(rows) for arrow in _arrows(row)]
    return [
        _chart(thin).mark_rule(strokeWidth=1.5).encode(x=_x("from"), x2="to:Q", y=y, color=color),
        _chart(thick).mark_rule(strokeWidth=5).encode(x=_x("from"), x2="to:Q", y=y, color=color),
        _chart(points)
        .mark_point(strokeWidth=2, size=70, opacity=1)
        .encode(
            x=_x("from"),
            y=y,
            stroke=alt.Stroke("color:N", scale=None),
            fill=alt.Fill("inside:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
        ),
        _chart(arrows)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(x=_x("from"), y=y, color=color, shape=alt.Shape("shape:N", scale=None)),
    ]


def _mark(at: int, row: PlotRow) -> dict[str, Any]:
    color = OF_STATE[row.state.style]
    is_hollow = row.state.style in HOLLOW
    return {"row": at, "color": color, "inside": PAPER if is_hollow else color, "shape": SHAPES[row.state.style]}


def _arrows(row: PlotRow) -> list[dict[str, Any]]:
    """Where the interval runs on beyond the axis, and which way."""
    left = [{"from": LEFT, "shape": "triangle-left"}] if row.beyond_left else []
    right = [{"from": RIGHT, "shape": "triangle-right"}] if row.beyond_right else []
    return left + right


def _texts(rows: Sequence[PlotRow], layout: Layout) -> list[alt.Chart]:
    """State, name and raw numbers of every row, where the layout has room for them."""
    columns = (
        (layout.state, [(row.state.text, OF_STATE[row.state.style]) for row in rows]),
        (layout.label, [(row.label, INK) for row in rows]),
        (layout.numbers, [(row.numbers, INK) for row in rows]),
    )
    return [
        _chart([{"row": at, "text": text, "color": color} for at, (text, color) in enumerate(words)])
        .mark_text(align="left", fontSize=layout.font_px, limit=place.room, dy=place.below)
        .encode(x=alt.value(place.left), y=_y(len(rows)), text="text:N", color=alt.Color("color:N", scale=None))
        for place, words in columns
    ]


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _x(field: str) -> alt.X:
    axis = quiet_axis(
        "share of the margin used: harm ÷ what is allowed",
        values=[-1, 0, 1, 2, 3],
        labelExpr="replace(format(datum.value, 'd'), '-', '−')",
    )
    return alt.X(field, type="quantitative", scale=alt.Scale(domain=[LEFT, RIGHT], nice=False), axis=axis)


def _y(rows: int) -> alt.Y:
    scale = alt.Scale(domain=[-0.5, rows - 0.5], reverse=True, nice=False, zero=False)
    return alt.Y("row", type="quantitative", scale=scale, axis=None)


def _accessible(svg: str, rows: Sequence[PlotRow], name: str) -> Markup:
    said = ". ".join(f"{row.state.word}: {row.label}: {row.numbers}" for row in rows)
    words = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>').format(
        name,
        "How much of each margin is used",
        "One row a claim, the worst first. 0 is as good as the teacher, 1 is the bar, beyond it is too much harm. "
        f"{said}.",
    )
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None
    roles = f'<svg role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Markup(opening.group().replace("<svg", roles, 1) + str(words) + svg[opening.end() :])
