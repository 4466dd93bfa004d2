"""The search with the real generator, against a real HTTP server whose capacity is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest import layout
from loadtest.capacity.measuring import measuring
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import StoppedBecause
from loadtest.capacity.search import search
from loadtest.capacity.trial import Asked, Side, side_of
from loadtest.plan import OpenLoopPlan
from tests.stub_serving import stub_server

pytestmark = pytest.mark.alone

LIMIT_MS = 100.0


def plan(url: str) -> OpenLoopPlan:
    return OpenLoopPlan(url=url, rate_rps=50, duration_s=2, timeout_s=5, limit_ms=LIMIT_MS)


@pytest.mark.parametrize(("rate_rps", "side"), [(40.0, Side.UNDER), (200.0, Side.OVER)])
def test_a_server_that_takes_10_ms_keeps_the_limit_at_40_a_second_and_breaks_it_at_200(
    rate_rps: float, side: Side, tmp_path: Path
) -> None:
    asked = Asked(number=7, step="bracket", rate_rps=rate_rps, seconds=3.0, warmup_s=1.0, seed=3)
    heard: list[float] = []
    with stub_server("--service-ms", "10") as url:
        measure = measuring(
            plan(url), ["a", "b"], ["A", "B"], tmp_path, on_progress=lambda trial, share: heard.append(share)
        )
        found = measure(asked)
    assert found.requests == pytest.approx(3 * rate_rps, rel=0.3)
    assert found.wall_s >= 4.0
    assert len(found.blocks) == 8
    assert side_of(found.requests, found.over_limit, 0.5) is side
    assert heard[-1] == pytest.approx(1.0, abs=0.3)
    assert (tmp_path / "007" / layout.SAMPLES).is_file()


def test_a_server_that_fails_one_request_in_ten_is_never_good(tmp_path: Path) -> None:
    with stub_server("--fail-every", "10") as url:
        result = search(SearchPlan(limit_ms=LIMIT_MS, max_minutes=0.7), measuring(plan(url), ["a"], None, tmp_path))
    assert result.stopped_because is StoppedBecause.NEVER_GOOD
    assert all(
        trial.measured.failed / trial.measured.requests == pytest.approx(0.1, abs=0.05) for trial in result.trials
    )


def test_wrong_answers_make_the_search_void(tmp_path: Path) -> None:
    with stub_server("--wrong-every", "10") as url:
        result = search(
            SearchPlan(limit_ms=LIMIT_MS, start_rps=300, max_minutes=0.5), measuring(plan(url), ["a"], ["A"], tmp_path)
        )
    assert result.stopped_because is StoppedBecause.VOID
    assert len(result.trials) == 2
    assert "another label" in result.explanation


def test_a_server_that_is_not_there_makes_the_search_void(tmp_path: Path) -> None:
    with stub_server() as url:
        pass
    result = search(
        SearchPlan(limit_ms=LIMIT_MS, start_rps=300, max_minutes=0.5), measuring(plan(url), ["a"], ["A"], tmp_path)
    )
    assert result.stopped_because is StoppedBecause.VOID
    assert "is the server up?" in result.explanation
