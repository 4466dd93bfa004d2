"""The page of a learning curve, and its drawing: points, fitted band, the bar, and where they cross."""

from __future__ import annotations

import io
import re
from functools import cache
from importlib.resources import files
from typing import Any

import altair as alt
from markupsafe import Markup

from evalkit.record.curve_record import CurveRecord
from evalkit.stats.learning_curve import Answer, RowsNeeded
from reports.curve_words import answer_text, caveats, size_lines
from reports.drawing import BEYOND, INK, MUTED, OF_STATE, PAPER, painted, quiet_axis
from reports.html import TEMPLATES
from reports.numbers import count, moment, points

WIDTH, HEIGHT = 620, 320
PADDING = {"left": 64, "right": 24, "top": 28, "bottom": 52}
STATES = {
    Answer.MET: "passed",
    Answer.REACHED: "noted",
    Answer.NEVER: "failed",
    Answer.OPEN: "open",
    Answer.UNKNOWN: "open",
}
WORDS = {
    Answer.MET: "The bar is met",
    Answer.REACHED: "More rows reach the bar",
    Answer.NEVER: "Not by more rows alone",
    Answer.OPEN: "Perhaps by more rows",
    Answer.UNKNOWN: "Not known",
}


def render_curve_html(record: CurveRecord) -> str:
    """One self-contained page without network and script."""
    return TEMPLATES.get_template("curve.html").render(
        task=record.task,
        state=STATES[record.reading.answer],
        word=WORDS[record.reading.answer],
        answer=answer_text(record),
        drawing=Markup(painted(_drawn(record))),
        fitted=bool(record.reading.band),
        sizes=size_lines(record),
        caveats=list(caveats(record)),
        made=f"{moment(record.made_at)}, spec {record.spec_digest[:12]}, seeds {', '.join(map(str, record.seeds))}",
    )


def render_curve_svg(record: CurveRecord) -> str:
    """The drawing alone, in the colours of the light page."""
    svg = painted(_drawn(record))
    for name, color in _light().items():
        svg = svg.replace(f"var(--{name})", color)
    return svg


@cache
def _light() -> dict[str, str]:
    """The style sheet's own colours, light ones first."""
    style = (files("reports") / "templates" / "style.css").read_text(encoding="utf-8")
    named = re.findall(r"--([a-z]+): (#[0-9a-f]{6})", style.partition("@media")[0])
    return dict(named)


def _end(record: CurveRecord) -> int:
    """Where the drawing ends: with the fitted curve, or the largest size where there is none."""
    return max(*(each.rows for each in record.reading.points), *(each.rows for each in record.reading.band))


def _drawn(record: CurveRecord) -> str:
    """The SVG in stand-in colours."""
    chart = (
        alt.layer(*_ground(record), *_band(record), *_bar(record), *_crossing(record), *_points(record))
        .properties(width=WIDTH, height=HEIGHT, padding=PADDING, autosize="none")
        .configure(font="sans-serif", background=PAPER, aria=False)
        .configure_view(stroke=None)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _accessible(drawing.getvalue(), record)


def _ground(record: CurveRecord) -> list[alt.Chart]:
    """What is extrapolated is shaded; nothing is where no curve could be fitted."""
    largest, end = record.reading.points[-1].rows, _end(record)
    if end <= largest:
        return []
    shade = _chart([{"rows": largest, "to": end}]).mark_rect(color=BEYOND)
    word = _chart([{"rows": largest}]).mark_text(color=MUTED, fontSize=11, align="left", dx=6, baseline="bottom")
    return [
        shade.encode(x=_x(record), x2="to:Q"),
        word.encode(x=_x(record), y=alt.value(-4), text=alt.value("extrapolated →")),
    ]


def _band(record: CurveRecord) -> list[alt.Chart]:
    values = [
        {"rows": each.rows, "gap": 100 * each.point, "low": 100 * each.lower, "high": 100 * each.upper}
        for each in record.reading.band
    ]
    band = _chart(values).mark_area(color=MUTED, opacity=0.22)
    line = _chart(values).mark_line(color=MUTED, strokeWidth=2)
    return [
        band.encode(x=_x(record), y=_y(record, "low"), y2="high:Q"),
        line.encode(x=_x(record), y=_y(record, "gap")),
    ]


def _bar(record: CurveRecord) -> list[alt.Chart]:
    value = [{"gap": 100 * record.bar, "rows": record.reading.points[0].rows}]
    rule = _chart(value).mark_rule(color=OF_STATE["failed"], strokeWidth=1.5, strokeDash=[6, 4])
    word = _chart(value).mark_text(color=OF_STATE["failed"], fontSize=11, align="left", dx=4, dy=-7)
    return [
        rule.encode(y=_y(record, "gap")),
        word.encode(x=_x(record), y=_y(record, "gap"), text=alt.value(f"the bar, {points(record.bar)} points")),
    ]


def _crossing(record: CurveRecord) -> list[alt.Chart]:
    """The interval of the rows needed, along the bar; an arrow where it runs on."""
    needed = record.reading.needed
    if not isinstance(needed, RowsNeeded):
        return []
    end, at = _end(record), 100 * record.bar
    if needed.lower is None or needed.lower >= end:
        return []
    interval = [{"rows": needed.lower, "to": min(end, needed.upper or end), "gap": at}]
    drawn = [
        _chart(interval)
        .mark_rule(color=INK, strokeWidth=4, opacity=0.85)
        .encode(x=_x(record), x2="to:Q", y=_y(record, "gap"))
    ]
    if needed.upper is None:
        arrow = _chart([{"rows": end, "gap": at}]).mark_point(shape="triangle-right", filled=True, size=130, color=INK)
        drawn.append(arrow.encode(x=_x(record), y=_y(record, "gap"), opacity=alt.value(1)))
    if needed.point is not None and needed.point <= end:
        drawn += _named_crossing(record, needed.point, at)
    return drawn


def _named_crossing(record: CurveRecord, rows: int, at: float) -> list[alt.Chart]:
    value = [{"rows": rows, "gap": at, "text": f"{count(rows)} rows"}]
    mark = _chart(value).mark_point(shape="diamond", filled=True, size=110, color=INK, opacity=1)
    word = _chart(value).mark_text(color=INK, fontSize=12, fontWeight="bold", dy=18)
    place = {"x": _x(record), "y": _y(record, "gap")}
    return [mark.encode(**place), word.encode(**place, text="text:N")]


def _points(record: CurveRecord) -> list[alt.Chart]:
    values = [
        {
            "rows": each.rows,
            "gap": 100 * each.gap.point,
            "low": 100 * each.gap.lower,
            "high": 100 * each.gap.upper,
            "inside": INK if each.fitted else PAPER,
        }
        for each in record.reading.points
    ]
    bars = _chart(values).mark_rule(color=INK, strokeWidth=1.5)
    marks = _chart(values).mark_point(shape="circle", size=60, color=INK, opacity=1, strokeWidth=2)
    return [
        bars.encode(x=_x(record), y=_y(record, "low"), y2="high:Q"),
        marks.encode(x=_x(record), y=_y(record, "gap"), fill=alt.Fill("inside:N", scale=None)),
    ]


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _x(record: CurveRecord) -> alt.X:
    first, last = record.reading.points[0].rows, _end(record)
    ticks = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]
    axis = quiet_axis("training rows", values=[each for each in ticks if first <= each <= last], format=",d")
    scale = alt.Scale(type="log", domain=[first * 0.9, last * 1.05], nice=False)
    return alt.X("rows", type="quantitative", scale=scale, axis=axis)


def _y(record: CurveRecord, field: str) -> alt.Y:
    reading = record.reading
    low = min(*(each.gap.lower for each in reading.points), *(each.lower for each in reading.band), record.bar)
    high = max(*(each.gap.upper for each in reading.points), *(each.upper for each in reading.band), record.bar, 0.0)
    room = 0.05 * (high - low)
    scale = alt.Scale(domain=[100 * (low - room), 100 * (high + room)], nice=False, zero=False)
    axis = quiet_axis("student − teacher accuracy, points", labelExpr="replace(format(datum.value, '~g'), '-', '−')")
    return alt.Y(field, type="quantitative", scale=scale, axis=axis)


def _accessible(svg: str, record: CurveRecord) -> str:
    said = "; ".join(f"{rows} rows: {gap} points" for _, rows, gap in size_lines(record))
    words = Markup('<title id="curve-title">{}</title><desc id="curve-desc">{}</desc>').format(
        "Gap between student and teacher by training rows", f"{said}. {answer_text(record)}"
    )
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None
    roles = '<svg role="img" aria-labelledby="curve-title" aria-describedby="curve-desc"'
    return opening.group().replace("<svg", roles, 1) + str(words) + svg[opening.end() :]
