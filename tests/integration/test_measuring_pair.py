"""Two real servers, loaded in turns by the real generator."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.spec.gate import Load
from evalkit.workflow.measuring_pair import Turn, bad_answers, in_turns, run_segment, segment_folder, segment_plans
from evalkit.workflow.served_process import Served
from loadtest import layout
from loadtest.plan import OpenLoopPlan
from loadtest.standing import standing_generator
from tests.stub_serving import stub_server

pytestmark = pytest.mark.alone


def turn(role: str, url: str) -> Turn:
    return Turn(role=role, server=Served(url=url, pid=1, provider="cpu", version="1", pinned_core=None), expected=["A"])


@pytest.mark.slow
def test_a_teacher_that_takes_three_times_as_long_is_seen_to(tmp_path: Path) -> None:
    with ExitStack() as both:
        turns = [
            turn("student", both.enter_context(stub_server("--service-ms", "5"))),
            turn("teacher", both.enter_context(stub_server("--service-ms", "15", "--fail-every", "50"))),
        ]
        plans = segment_plans(Load(rate_rps=20, duration_s=4), None, seed=1)
        generator = both.enter_context(standing_generator(tmp_path / "generator"))

        def run(plan: OpenLoopPlan, whose: Turn, folder: Path) -> tuple[str, ...]:
            run_segment(plan, whose, ["a"], folder, generator, "cpu")
            return ()  # lateness on a busy machine is not what is tested here

        assert in_turns(plans, turns, tmp_path, run, lambda share, note: None) == ()
    service_ms = {
        role: np.median(
            np.concatenate(
                [
                    pd.read_parquet(segment_folder(tmp_path, role, number) / layout.SAMPLES)["service_ms"]
                    for number in range(len(plans))
                ]
            )
        )
        for role in ("student", "teacher")
    }
    assert 1.5 < service_ms["teacher"] / service_ms["student"] < 4
    student, teacher = turns
    assert bad_answers(tmp_path, student, len(plans)) == ()
    (failed,) = bad_answers(tmp_path, teacher, len(plans))
    assert failed.startswith("teacher: ")
    assert "requests failed" in failed
