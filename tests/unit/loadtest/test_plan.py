import dataclasses
import json
import math
from typing import Any

import pytest

from loadtest.errors import TargetRefusedError
from loadtest.plan import (
    Arrivals,
    OpenLoopPlan,
    SaturationPlan,
    check_target,
    plan_from_json,
    plan_to_json,
)

OPEN = OpenLoopPlan(
    url="http://127.0.0.1:8000",
    rate_rps=300.0,
    duration_s=10.0,
    warmup_s=2.0,
    seed=7,
    arrivals=Arrivals.CONSTANT,
    timeout_s=5.0,
    limit_ms=50.0,
)
SATURATION = SaturationPlan(url="http://localhost:1", clients=16, duration_s=5.0, seed=3)


@pytest.mark.parametrize("plan", [OPEN, SATURATION])
def test_a_plan_survives_json(plan: Any) -> None:
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate_rps", 0.0),
        ("rate_rps", -1.0),
        ("rate_rps", math.nan),
        ("rate_rps", 1e6),
        ("rate_rps", 0.5),  # 5 requests in 10 s
        ("duration_s", -10.0),
        ("duration_s", 0.5),
        ("duration_s", math.inf),
        ("warmup_s", -0.1),
        ("timeout_s", 0.0),
        ("timeout_s", 1e4),
        ("seed", -1),
        ("limit_ms", 0.0),
        ("limit_ms", 5001.0),  # a failed request, charged 5,000 ms, would be within the limit
        ("url", "127.0.0.1:8000"),
        ("url", "ftp://127.0.0.1"),
    ],
)
def test_an_open_loop_plan_refuses_by_name(field: str, value: Any) -> None:
    said = "duration_s" if (field, value) == ("rate_rps", 0.5) else field
    with pytest.raises(ValueError, match=f"^{said} is "):
        dataclasses.replace(OPEN, **{field: value})


def test_a_plan_too_large_to_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="20000000 requests"):
        dataclasses.replace(OPEN, rate_rps=20_000.0, duration_s=998.0, warmup_s=2.0)


@pytest.mark.parametrize("clients", [0, -1, 100_000])
def test_a_saturation_plan_refuses_absurd_clients(clients: int) -> None:
    with pytest.raises(ValueError, match=r"^clients is "):
        dataclasses.replace(SATURATION, clients=clients)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "closed"}, "kind is 'closed'"),
        ({"rate": 5}, "no field 'rate'"),
        ({"arrivals": "bursty"}, "bursty"),
        ({"rate_rps": 0}, "rate_rps is 0"),
    ],
)
def test_a_plan_file_with_anything_unknown_is_refused(change: dict[str, Any], said: str) -> None:
    fields = json.loads(plan_to_json(OPEN)) | change
    with pytest.raises(ValueError, match=said):
        plan_from_json(json.dumps(fields))


def test_a_plan_file_without_a_needed_field_is_refused() -> None:
    fields = json.loads(plan_to_json(OPEN))
    del fields["rate_rps"]
    with pytest.raises(ValueError, match="rate_rps"):
        plan_from_json(json.dumps(fields))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.5:8000",
        "http://localhost.example.com",
        "https://127.0.0.1.nip.io",
    ],
)
def test_a_target_outside_loopback_is_refused_unless_owned(url: str) -> None:
    with pytest.raises(TargetRefusedError, match="Give --i-own-this-target if it is yours"):
        check_target(url, i_own_this_target=False)
    check_target(url, i_own_this_target=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.9.9.9", "http://localhost:1", "http://[::1]:80"])
def test_loopback_needs_no_ownership(url: str) -> None:
    check_target(url, i_own_this_target=False)


def test_a_target_that_is_no_address_is_refused_even_if_owned() -> None:
    with pytest.raises(ValueError, match="url is"):
        check_target("somewhere", i_own_this_target=True)
