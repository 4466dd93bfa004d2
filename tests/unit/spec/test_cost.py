"""Prices that cannot be meant are refused in words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.loading import parse_spec

WHERE = {"source": "price list", "date": "2026-11-01"}
BILL = {"usd_per_million_requests": 9.0, **WHERE}
HOURLY = {"usd_per_hour": 1.0, **WHERE}
TOKENS = {"usd_per_million_input": 3.0, "usd_per_million_output": 15.0}
MACHINE = {"name": "a100", "usd_per_hour": 4.0, "rps": 90.0, "speed_source": "a benchmark", **WHERE}


def parsed(recorded: bool = True, **cost: Any):
    source = "recorded" if recorded else "load"
    spec: dict[str, Any] = {
        "task": {"name": "t", "labels": ["a", "b"]},
        "data": {"held_out": "held_out.csv"},
        "teacher": {source: "teacher"},
        "student": {source: "student"},
        "cost": {"teacher": BILL, "student": BILL, **cost},
    }
    if not recorded:
        spec["load"] = {"rate_rps": 5}
    return parse_spec(yaml.safe_dump(spec), "gate.yaml")


def side(**price: Any) -> dict[str, Any]:
    return {"teacher": {**price, **WHERE}}


@pytest.mark.parametrize(
    ("recorded", "cost", "said"),
    [
        (
            False,
            side(tokens=TOKENS),
            r"cost\.teacher\.tokens has no recorded usage to apply its prices to; give cost\.teacher\.tokens\.usage",
        ),
        (True, side(tokens=TOKENS, usd_per_hour=1.0), r"give exactly one of .*tokens.*usd_per_hour and tokens given"),
        (True, side(tokens=TOKENS | {"usd_per_million_cached": 0.3}), r"columns\.cached_tokens belong together"),
        (True, side(tokens=TOKENS | {"columns": {"cached_tokens": "c"}}), r"usd_per_million_cached .*belong together"),
        (True, side(tokens={"usd_per_million_input": 0, "usd_per_million_output": 0}), r"both token prices are 0"),
        (True, side(tokens=TOKENS | {"batch_discount": 1}), r"batch_discount is 1"),
        (True, {"teacher": BILL | {"fleet": {}}}, r"fleet is about machines that are paid by the hour"),
        (True, {"teacher": BILL | {"instances": [MACHINE]}}, r"instances is about machines that are paid by the hour"),
        (
            False,
            {"teacher": HOURLY | {"fleet": {}, "utilisation": 0.5}},
            r"utilisation follows from cost\.monthly_requests; remove utilisation or fleet",
        ),
        (False, {"teacher": HOURLY | {"fleet": {}}}, r"teacher\.fleet needs monthly_requests"),
        (False, {"teacher": HOURLY | {"fleet": {}}, "monthly_requests": 5}, r"teacher\.fleet needs peak_rps"),
        (True, {"peak_rps": 5.0}, r"peak_rps is what a fleet is built for, and no side has one"),
        (
            False,
            {"teacher": HOURLY | {"fleet": {}}, "monthly_requests": 26_280_000, "peak_rps": 9.0},
            r"peak_rps is 9, and 26,280,000 requests a month are 10 a second on average",
        ),
        (False, {"teacher": HOURLY | {"instances": [MACHINE, MACHINE]}}, r"a100 stands there twice"),
        (False, {"teacher": HOURLY | {"instances": [MACHINE | {"relative_speed": 2.0}]}}, r"exactly one of rps"),
        (True, {"project_usd": 5.0, "project": {}}, r"project_usd and project both say what the project costs"),
        (True, {"project": {"training_hours": 5.0}}, r"training_hours is 5 and has no price"),
        (True, {"project": {"usd_per_engineering_hour": 90.0}}, r"90 and there are no hours; give engineering_hours"),
        (True, {"max_age_days": 0}, r"max_age_days is 0"),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused(recorded: bool, cost: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parsed(recorded, **cost)


def test_recorded_predictions_may_hold_the_usage() -> None:
    assert parsed(**side(tokens=TOKENS)).cost.teacher.tokens.usage is None
    assert parsed(False, **side(tokens=TOKENS | {"usage": "usage.csv"})).cost.teacher.tokens.usage == "usage.csv"


def test_cascade_off_is_read_as_no() -> None:
    """YAML reads off as no."""
    text = yaml.safe_dump(parsed().model_dump(mode="json", exclude_unset=True)).replace(
        "cost:\n", "cost:\n  cascade: off\n"
    )
    assert parse_spec(text, "gate.yaml").cost.cascade is False
    assert parsed().cost.cascade is True


def test_half_of_the_rate_is_taken_for_used_where_nothing_is_said() -> None:
    assert parsed(False, teacher=HOURLY).cost.teacher.used_share == 0.5
    assert parsed(False, teacher=HOURLY | {"utilisation": 0.4}).cost.teacher.used_share == 0.4
