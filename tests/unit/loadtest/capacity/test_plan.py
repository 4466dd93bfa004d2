import math
from typing import Any

import pytest

from loadtest.capacity.plan import SearchPlan


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit_ms", 0.0),
        ("limit_ms", math.nan),
        ("confidence", 1.0),
        ("level", 0.0),
        ("start_rps", -1.0),
        ("start_rps", 20_000.0),  # above max_rps
        ("max_rps", math.inf),
        ("max_minutes", 0.0),
        ("precision", 0.0),
        ("warmup_s", -1.0),
        ("seed", -1),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        SearchPlan(**{"limit_ms": 25.0, "max_rps": 10_000.0, field: value})


def test_a_trial_is_long_enough_for_the_certificate_and_for_the_queue_to_forget() -> None:
    plan = SearchPlan(limit_ms=25.0, max_minutes=15.0)
    assert plan.short_s(50) == pytest.approx(1.5 * 299 / 50)
    assert plan.long_s(50) == pytest.approx(4 * 1.5 * 299 / 50)
    assert plan.warmup_for_s(50) == plan.warmup_s
    # 4 · 1000 · (0.1 / ln 100)² = 1.886 s: two of them to warm up, three or twenty to measure
    slow = SearchPlan(limit_ms=100.0, max_minutes=15.0)
    assert slow.relaxation_s(1000) == pytest.approx(1.886, abs=0.001)
    assert slow.warmup_for_s(1000) == pytest.approx(3.772, abs=0.001)
    assert slow.short_s(1000) == pytest.approx(5.659, abs=0.001)
    assert slow.long_s(1000) == pytest.approx(37.72, abs=0.01)


def test_no_trial_takes_so_much_of_the_time_that_few_of_them_fit_in() -> None:
    plan = SearchPlan(limit_ms=100.0, max_minutes=2.0)
    assert plan.long_s(1.0) == plan.long_s(1000) == 10.0  # a twelfth
    assert plan.short_s(1.0) == 6.0  # a twentieth
    assert SearchPlan(limit_ms=100.0, max_minutes=0.1).short_s(1.0) == 2.0
