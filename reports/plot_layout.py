"""Where the texts of the margin plot stand: beside the bars, or above and below them on a phone."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_ROW = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text starts, in pixels from the left end of the axis and below the middle of its row."""

    left: int
    room: int
    below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out the plot, in pixels. ``name`` sets its parts apart from those of the other;
    ``frame`` is the share of a row's height on which the bar and its shading are drawn."""

    name: str
    axis_width: int
    row_height: int
    frame: float
    padding: dict[str, int]
    font_px: int
    state: Place
    label: Place
    numbers: Place


WIDE = Layout(
    name="margins-wide",
    axis_width=320,
    row_height=28,
    frame=WHOLE_ROW,
    padding={"left": 368, "right": 350, "top": 30, "bottom": 46},
    font_px=13,
    state=Place(left=-366, room=78),
    label=Place(left=-286, room=272),
    numbers=Place(left=336, room=334),
)
NARROW = Layout(
    name="margins-narrow",
    axis_width=326,
    row_height=66,
    frame=0.3,
    padding={"left": 8, "right": 12, "top": 30, "bottom": 46},
    font_px=13,
    state=Place(left=0, room=76, below=-20),
    label=Place(left=74, room=252, below=-20),
    numbers=Place(left=0, room=326, below=18),
)
