"""Quality against latency, and against size: every rung with both of its intervals, the teacher beside them."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
from markupsafe import Markup

from evalkit.decision.pareto import Front
from evalkit.record.ladder_record import Figures, LadderRecord
from evalkit.stats.interval import Estimate, Interval
from reports import numbers
from reports.drawing import INK, MUTED, OF_STATE, PAPER, painted, quiet_axis
from reports.states import VERDICTS
from reports.words import one_line, shortened

WIDTH, HEIGHT = 420, 260
PADDING = {"left": 64, "right": 84, "top": 20, "bottom": 44}
SHAPES = {"passed": "circle", "failed": "square", "open": "diamond"}
LABEL_CHARACTERS = 14
ABOVE_PX, BELOW_PX, LINE_PX, LETTER_PX = -8, 14, 13, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One model in the drawing. The interval of ``x`` is a point where it was counted."""

    name: str
    x: Interval
    accuracy: Interval
    color: str
    shape: str
    inside: str


def ladder_charts(record: LadderRecord) -> tuple[Markup, ...]:
    """Accuracy against p50 (p99 where that alone was measured) and against the number of parameters; a drawing that
    has fewer than two rungs is left out."""
    size = "parameters"
    latency = max(("p50_ms", "p99_ms"), key=lambda name: sum(_is_there(each.figures, name) for each in record.rungs))
    drawn = (
        (latency, f"latency, {latency.removesuffix('_ms')}, ms, logarithmic"),
        (size, "parameters, logarithmic"),
    )
    charts = ((name, title, _marks(record, name)) for name, title in drawn)
    return tuple(_chart(name, title, marks) for name, title, marks in charts if len(marks) > 2)


def _is_there(figures: Figures, name: str) -> bool:
    return isinstance(_x_of(figures, name), Interval)


def _x_of(figures: Figures, name: str) -> Estimate | None:
    if name != "parameters":
        measured: Estimate = getattr(figures, name)
        return measured
    count = figures.parameters
    if not count:
        return None
    return Interval(point=count, lower=count, upper=count, level=1.0, n=1, method="counted")


def _marks(record: LadderRecord, name: str) -> list[Mark]:
    marks = []
    for rung in record.rungs:
        style = VERDICTS[rung.outcome].style
        inside = OF_STATE[style] if rung.place.front is not Front.BEATEN else PAPER
        marks += _mark(rung.name, rung.figures, name, (OF_STATE[style], SHAPES[style], inside))
    return marks + _mark("the teacher", record.teacher, name, (MUTED, "cross", MUTED))


def _mark(label: str, figures: Figures, name: str, style: tuple[str, str, str]) -> list[Mark]:
    x, accuracy = _x_of(figures, name), figures.accuracy
    if not isinstance(x, Interval) or not isinstance(accuracy, Interval):
        return []
    color, shape, inside = style
    named = shortened(one_line(label), LABEL_CHARACTERS)
    return [Mark(name=named, x=x, accuracy=accuracy, color=color, shape=shape, inside=inside)]


def _chart(name: str, title: str, marks: Sequence[Mark]) -> Markup:
    chart = (
        alt.layer(*_layers(title, marks))
        .properties(width=WIDTH, height=HEIGHT, padding=PADDING, autosize="none")
        .configure(font="sans-serif", background="transparent", aria=False)
        .configure_view(stroke=None)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _accessible(painted(drawing.getvalue()), name, marks)


def _layers(title: str, marks: Sequence[Mark]) -> list[alt.Chart]:
    rows = [_row(each) for each in marks]
    x, y = _x(title, marks), _y(marks)
    color = alt.Color("color:N", scale=None)
    data = alt.InlineData(values=rows)
    return [
        alt.Chart(data).mark_rule(strokeWidth=1.5).encode(x=x, y=y.copy(), y2="high:Q", color=color),
        alt.Chart(data)
        .mark_rule(strokeWidth=1.5)
        .encode(x=_x(title, marks, "left"), x2="right:Q", y=_y(marks, "at"), color=color),
        alt.Chart(data)
        .mark_point(strokeWidth=2, size=70, opacity=1)
        .encode(
            x=x,
            y=_y(marks, "at"),
            stroke=alt.Stroke("color:N", scale=None),
            fill=alt.Fill("inside:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
        ),
        *(_names(title, marks, rows, below) for below in (False, True)),
    ]


def _names(title: str, marks: Sequence[Mark], rows: Sequence[dict[str, Any]], below: bool) -> alt.Chart:
    """The names beside their marks: above, or below where another name is in the way."""
    named = [row for row, is_below in zip(rows, _are_below(marks), strict=True) if is_below is below]
    words = alt.Chart(alt.InlineData(values=named)).mark_text(
        align="left", dx=8, dy=BELOW_PX if below else ABOVE_PX, fontSize=12, color=INK
    )
    encoded: alt.Chart = words.encode(x=_x(title, marks), y=_y(marks, "at"), text="name:N")
    return encoded


def _are_below(marks: Sequence[Mark]) -> list[bool]:
    (left, right), (bottom, top) = _span(marks), _heights(marks)
    taken: list[tuple[float, float, float]] = []
    found = []
    for mark in marks:
        x = WIDTH * math.log(mark.x.point / left) / math.log(right / left)
        y = HEIGHT * (top - 100 * mark.accuracy.point) / (top - bottom)
        end = x + LETTER_PX * len(mark.name)
        is_below = any(
            x < its_end and its_x < end and abs(y + ABOVE_PX - its_y) < LINE_PX for its_x, its_end, its_y in taken
        )
        taken.append((x, end, y + (BELOW_PX if is_below else ABOVE_PX)))
        found.append(is_below)
    return found


def _row(mark: Mark) -> dict[str, Any]:
    return {
        "name": mark.name,
        "x": mark.x.point,
        "left": mark.x.lower,
        "right": mark.x.upper,
        "at": 100 * mark.accuracy.point,
        "low": 100 * mark.accuracy.lower,
        "high": 100 * mark.accuracy.upper,
        "color": mark.color,
        "shape": mark.shape,
        "inside": mark.inside,
    }


def _x(title: str, marks: Sequence[Mark], field: str = "x") -> alt.X:
    scale = alt.Scale(type="log", domain=list(_span(marks)), nice=False)
    axis = quiet_axis(title, format="~s", tickCount=4, labelOverlap=True)
    return alt.X(field, type="quantitative", scale=scale, axis=axis)


def _y(marks: Sequence[Mark], field: str = "low") -> alt.Y:
    scale = alt.Scale(domain=list(_heights(marks)), nice=False, zero=False)
    return alt.Y(field, type="quantitative", scale=scale, axis=quiet_axis("accuracy, %", tickCount=5))


def _span(marks: Sequence[Mark]) -> tuple[float, float]:
    """The ends of the axis from left to right, with room beside the outermost intervals."""
    return min(each.x.lower for each in marks) / 1.25, max(each.x.upper for each in marks) * 1.25


def _heights(marks: Sequence[Mark]) -> tuple[float, float]:
    """The ends of the axis from bottom to top, in per cent."""
    low = 100 * min(each.accuracy.lower for each in marks)
    high = 100 * max(each.accuracy.upper for each in marks)
    room = max(0.5, (high - low) / 12)
    return math.floor(low - room), high + room


def _accessible(svg: str, name: str, marks: Sequence[Mark]) -> Markup:
    said = "; ".join(
        f"{each.name}: accuracy {numbers.percent(each.accuracy.point)} ({numbers.percent(each.accuracy.lower)} to "
        f"{numbers.percent(each.accuracy.upper)}) at {numbers.significant(each.x.point)}"
        for each in marks
    )
    words = Markup('<title id="ladder-{0}-title">{1}</title><desc id="ladder-{0}-desc">{2}</desc>').format(
        name, f"Accuracy against {name.replace('_', ' in ')}", f"Every rung and the teacher. {said}."
    )
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None
    roles = f'<svg role="img" aria-labelledby="ladder-{name}-title" aria-describedby="ladder-{name}-desc"'
    return Markup(opening.group().replace("<svg", roles, 1) + str(words) + svg[opening.end() :])
