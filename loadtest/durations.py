"""Durations as people write them."""

from __future__ import annotations

import re

UNITS_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|min|h|m|s|)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds; a bare number is seconds.

    >>> parse_duration("60s"), parse_duration("1m30s"), parse_duration("500ms"), parse_duration("20")
    (60.0, 90.0, 0.5, 20.0)

    Raises:
        ValueError: when the text is no duration.
    """
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip() or (len(parts) > 1 and any(not unit for _, unit in parts)):
        raise ValueError(f"duration is {text!r}; give a number with a unit, e.g. 60s, 1m30s, 500ms")
    return sum(float(number) * UNITS_S[unit.lower()] for number, unit in parts)
