"""The run over time: p50 and p99 of each second, the limit, the warm-up, and where requests failed."""

from __future__ import annotations

import io
import re
from typing import Any

import altair as alt
from markupsafe import Markup

from evalkit.record.run_record import LoadReport
from reports import numbers
from reports.drawing import BEYOND, INK, MUTED, OF_STATE, painted, quiet_axis

WIDTH, HEIGHT = 400, 130
PADDING = {"left": 64, "right": 36, "top": 16, "bottom": 40}
LOG_FROM = 20.0  # of the largest p99 to the smallest p50: beyond it, a straight axis shows only the largest


def load_chart(load: LoadReport) -> Markup:
    """The chart of one load's time series as an inline SVG with title and description; empty without a latency."""
    assert load.analysis is not None
    points = _points(load)
    if not points:
        return Markup()
    drawn = [_warm_up(load), *_lines(points), *_limit(load), *_failures(load)]
    chart = (
        alt.layer(*drawn)
        .properties(width=WIDTH, height=HEIGHT, padding=PADDING, autosize="none")
        .configure(font="sans-serif", background="transparent", aria=False)
        .configure_view(stroke=None)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _accessible(painted(drawing.getvalue()), load, points)


def _points(load: LoadReport) -> list[dict[str, Any]]:
    """One a window and quantile, at the middle of the window."""
    assert load.analysis is not None
    series = load.analysis.series
    return [
        {"at": (at + 0.5) * series.window_s, "ms": value, "quantile": name, "color": color}
        for name, color, values in (("p50", MUTED, series.p50_ms), ("p99", INK, series.p99_ms))
        for at, value in enumerate(values)
        if value is not None and value > 0
    ]


def _lines(points: list[dict[str, Any]]) -> list[alt.Chart]:
    line = _chart(points).mark_line(strokeWidth=1.5, point=alt.OverlayMarkDef(size=12))
    ends = [
        [each for each in points if each["quantile"] == name][-1]
        for name in ("p50", "p99")
        if any(each["quantile"] == name for each in points)
    ]
    words = _chart(ends).mark_text(align="left", dx=6, fontSize=11)
    color = alt.Color("color:N", scale=None)
    return [
        line.encode(x=_x(), y=_y(points), color=color, detail="quantile:N"),
        words.encode(x=_x(), y=_y(points), text="quantile:N", color=color),
    ]


def _limit(load: LoadReport) -> list[alt.Chart]:
    assert load.analysis is not None
    certificate = load.analysis.certificate
    points = _points(load)
    if certificate is None:
        return []
    rule = _chart([{"ms": certificate.limit_ms}]).mark_rule(color=OF_STATE["failed"], strokeDash=[5, 3])
    return [rule.encode(y=_y([*points, {"ms": certificate.limit_ms}]))]


def _warm_up(load: LoadReport) -> alt.Chart:
    assert load.analysis is not None
    band = _chart([{"at": 0.0, "to": load.analysis.warm_up.warmup_s}]).mark_rect(color=BEYOND)
    encoded: alt.Chart = band.encode(x=_x(), x2="to:Q")
    return encoded


def _failures(load: LoadReport) -> list[alt.Chart]:
    """A square above each window in which a request failed."""
    assert load.analysis is not None
    series = load.analysis.series
    marks = [{"at": (at + 0.5) * series.window_s} for at, failed in enumerate(series.failed) if failed]
    if not marks:
        return []
    squares = _chart(marks).mark_point(shape="square", filled=True, size=24, opacity=1, color=OF_STATE["failed"])
    return [squares.encode(x=_x(), y=alt.value(-6))]


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _x() -> alt.X:
    return alt.X(
        "at",
        type="quantitative",
        scale=alt.Scale(zero=True, nice=False),
        axis=quiet_axis("seconds of the run", size=11, tickCount=4),
    )


def _y(points: list[dict[str, Any]]) -> alt.Y:
    values = [each["ms"] for each in points]
    scale = alt.Scale(type="log") if max(values) > LOG_FROM * min(values) else alt.Scale(zero=True)
    return alt.Y("ms", type="quantitative", scale=scale, axis=quiet_axis("latency, ms", size=11, tickCount=4))


def _accessible(svg: str, load: LoadReport, points: list[dict[str, Any]]) -> Markup:
    name = f"load-{load.role}"
    slowest = max(points, key=lambda each: float(each["ms"]))
    words = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>').format(
        name,
        f"Latency of the {load.role} over the run",
        f"p50 and p99 by the second in which requests were meant to be sent. The slowest is {slowest['quantile']} "
        f"with {numbers.milliseconds(slowest['ms'])} after {numbers.significant(slowest['at'])} s. "
        f"{_failed_text(load)}",
    )
    opening = re.match(r"<svg[^>]*>", svg)
    assert opening is not None
    roles = f'<svg role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Markup(opening.group().replace("<svg", roles, 1) + str(words) + svg[opening.end() :])


def _failed_text(load: LoadReport) -> str:
    assert load.analysis is not None
    failed = sum(load.analysis.series.failed)
    return f"{numbers.counted(failed, 'request')} failed." if failed else "No request failed."
