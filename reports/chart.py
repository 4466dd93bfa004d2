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

from reports.plot_rows import LEFT, RIGHT, PlotRow

AXIS_WIDTH, ROW_HEIGHT = 340, 26
PADDING = {"left": 372, "right": 330, "top": 30, "bottom": 46}
STATE_AT, NAME_AT = -368, -292
BAR = 1.0

PAINTS = {
    "#000001": "var(--ink)",
    "#000002": "var(--muted)",
    "#000003": "var(--line)",
    "#000004": "var(--beyond)",
    "#000005": "var(--paper)",
    "#000006": "var(--passed)",
    "#000007": "var(--failed)",
    "#000008": "var(--open)",
}
INK, MUTED, LINE, BEYOND, PAPER = list(PAINTS)[:5]
OF_STATE = {"passed": "#000006", "failed": "#000007", "open": "#000008"}
SHAPES = {"passed": "circle", "failed": "square", "open": "diamond"}


def margin_plot(rows: Sequence[PlotRow]) -> Markup:
    """The plot of ``rows``, top to bottom, as an inline SVG with title and description."""
    chart = (
        alt.layer(*_frame(), *_bars(rows), *_texts(rows))
        .properties(width=AXIS_WIDTH, height=ROW_HEIGHT * len(rows), padding=PADDING, autosize="none")
        .configure(font="sans-serif", background="transparent", aria=False)
        .configure_view(stroke=None)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _accessible(_painted(drawing.getvalue()), rows)


def _frame() -> list[alt.Chart]:
    """Shading beyond the bar, the axis, and the two lines that mean something: 0 and 1."""
    band = _chart([{"from": BAR, "to": RIGHT}]).mark_rect(color=BEYOND).encode(x=_x("from"), x2="to:Q")
    lines = [
        _chart([{"at": at}]).mark_rule(color=color, strokeWidth=width).encode(x=_x("at"))
        for at, color, width in ((0.0, MUTED, 1), (BAR, INK, 2))
    ]
    said = [{"at": 0.0, "words": "no harm"}, {"at": BAR, "words": "the bar"}, {"at": 2.0, "words": "too much"}]
    words = _chart(said).mark_text(color=MUTED, fontSize=11, baseline="bottom")
    return [band, *lines, words.encode(x=_x("at"), y=alt.value(-8), text="words:N")]


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
        .mark_point(strokeWidth=2, size=95, opacity=1)
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
    is_open = row.state.style == "open"
    return {"row": at, "color": color, "inside": PAPER if is_open else color, "shape": SHAPES[row.state.style]}


def _arrows(row: PlotRow) -> list[dict[str, Any]]:
    """Where the interval runs on beyond the axis, and which way."""
    left = [{"from": LEFT, "shape": "triangle-left"}] if row.beyond_left else []
    right = [{"from": RIGHT, "shape": "triangle-right"}] if row.beyond_right else []
    return left + right


def _texts(rows: Sequence[PlotRow]) -> list[alt.Chart]:
    """State and name on the left, raw numbers on the right."""
    columns: tuple[tuple[int, int, list[tuple[str, str]]], ...] = (
        (STATE_AT, NAME_AT - STATE_AT, [(row.state.text, OF_STATE[row.state.style]) for row in rows]),
        (NAME_AT, -NAME_AT - 12, [(row.label, INK) for row in rows]),
        (AXIS_WIDTH + 16, PADDING["right"] - 16, [(row.numbers, INK) for row in rows]),
    )
    return [
        _chart([{"row": at, "text": text, "color": color} for at, (text, color) in enumerate(words)])
        .mark_text(align="left", fontSize=12, limit=room)
        .encode(x=alt.value(left), y=_y(len(rows)), text="text:N", color=alt.Color("color:N", scale=None))
        for left, room, words in columns
    ]


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _x(field: str) -> alt.X:
    axis = alt.Axis(
        values=[-1, 0, 1, 2, 3],
        labelExpr="replace(format(datum.value, 'd'), '-', '−')",
        labelFontSize=11,
        labelColor=MUTED,
        title="share of the margin used: harm ÷ what is allowed",
        titleFontSize=12,
        titleFontWeight="normal",
        titleColor=MUTED,
        domainColor=LINE,
        tickColor=LINE,
        gridColor=LINE,
    )
    return alt.X(field, type="quantitative", scale=alt.Scale(domain=[LEFT, RIGHT], nice=False), axis=axis)


def _y(rows: int) -> alt.Y:
    scale = alt.Scale(domain=[-0.5, rows - 0.5], reverse=True, nice=False, zero=False)
    return alt.Y("row", type="quantitative", scale=scale, axis=None)


def _painted(svg: str) -> str:
    for color, variable in PAINTS.items():
        svg = svg.replace(f'"{color}"', f'"{variable}"')
    return svg


def _accessible(svg: str, rows: Sequence[PlotRow]) -> Markup:
    said = ". ".join(f"{row.state.word}: {row.label}: {row.numbers}" for row in rows)
    words = Markup('<title id="margins-title">{}</title><desc id="margins-desc">{}</desc>').format(
        "How much of each margin is used",
        "One row a claim, the worst first. 0 is as good as the teacher, 1 is the bar, beyond it is too much harm. "
        f"{said}.",
    )
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None
    start = opening.group().replace(
        "<svg", '<svg role="img" aria-labelledby="margins-title" aria-describedby="margins-desc"', 1
    )
    return Markup(start + str(words) + svg[opening.end() :])
