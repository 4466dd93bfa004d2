"""What the plots share: stand-in colours that become style-sheet variables, and a thin axis."""

from __future__ import annotations

from typing import Any

import altair as alt

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
OF_STATE = {"passed": "#000006", "failed": "#000007", "open": "#000008", "noted": INK}


def quiet_axis(title: str, size: int = 12, **more: Any) -> alt.Axis:
    """A thin axis without a grid; ``size`` is the title's in pixels, ``more`` goes to altair."""
    return alt.Axis(
        title=title,
        titleFontSize=size,
        titleFontWeight="normal",
        titleColor=MUTED,
        labelFontSize=11,
        labelColor=MUTED,
        domainColor=LINE,
        tickColor=LINE,
        grid=False,
        **more,
    )


def painted(svg: str) -> str:
    """The drawing with style-sheet variables in the place of the stand-in colours."""
    for color, variable in PAINTS.items():
        svg = svg.replace(f'"{color}"', f'"{variable}"')
    return svg
