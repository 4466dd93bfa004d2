"""What the types refuse, in one line that names key, value, rule and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

MARGIN_REMEDY = "give a fraction in (0, 1), e.g. 0.05"
METRIC_MARGIN_REMEDY = "give what may be lost of the metric, in its own unit"
PATTERN_REMEDIES = {
    "module.function": "give package.module:function, e.g. students:make",
    "task.name": "give lower-case letters, digits, - and _, e.g. channel-sentiment",
    "ray.address": "give auto, or host:port of the head node; ray:// (Ray Client) is not taken, start on a node",
    "metric": "give a metric by name, e.g. macro_f1, or your own as package.module:function",
}


def one_line(errors: Sequence[Mapping[str, Any]], whole: str = "the file") -> str:
    """The first of pydantic's ``errors``; ``whole`` is what was refused where no key of it is to blame alone."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    given = first.get("input")
    shown = f" is {given!r}" if isinstance(given, str | int | float | bool) else ""
    if first["type"] == "missing":
        return f"{where} is missing; add it"
    return f"{where}{shown}: {_rule(first, where)}"


def refusal(error: ValidationError, whole: str = "the file") -> str:
    """The first thing that ``error`` names."""
    return one_line(error.errors(), whole)


def _text_remedy(given: object) -> str:
    return (
        "quote it if it is text"
        if isinstance(given, str | int | float | bool | date)
        else "give one text, no keys or list"
    )


def _rule(error: Mapping[str, Any], where: str) -> str:
    message: str = error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "string_type":
            return f"{message}; {_text_remedy(error.get('input'))}"
        case "tuple_type" | "list_type" if isinstance(error.get("input"), str | int | float):
            return f"{message}; give a list, e.g. [{error.get('input')}]"
        case "too_short" if not error["ctx"]["actual_length"]:
            return "it is empty; give at least 1 item, or leave it out"
        case "union_tag_invalid":
            context = error["ctx"]
            return f"{context['tag']} is not known; there are {context['expected_tags'].replace(chr(39), '')}"
        case "less_than" | "greater_than" if where.endswith("margin"):
            return f"{message}; {METRIC_MARGIN_REMEDY if '.metrics.' in where else MARGIN_REMEDY}"
        case "string_pattern_mismatch":
            remedy = next((text for end, text in PATTERN_REMEDIES.items() if where.endswith(end)), None)
            return remedy or message
    return message
