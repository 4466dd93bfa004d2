"""The gain of a kind of distillation over its control, and what is claimed of it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.distillation_bench.main import CONTROL, KINDS, gain_claim, with_as_many_steps
from evalkit.spec.distill import Distill
from evalkit.stats.distillation_gain import gain
from evalkit.students.schedule import Schedule

LEVEL = 0.95


def answers(shares, rows, rng):
    """One row of right and wrong answers a seed, with a chance of being right of its own."""
    return np.stack([rng.random(rows) < share for share in shares])


@pytest.mark.parametrize(("share", "verdict"), [(0.9, "gains"), (0.6, "not shown to gain"), (0.3, "loses")])
def test_a_gain_is_claimed_with_its_interval_and_only_where_that_is_above_zero(share, verdict):
    rng = np.random.default_rng(2)
    right = {CONTROL: answers([0.6] * 3, 2000, rng), "response": answers([share] * 3, 2000, rng)}
    found = gain(right["response"], right[CONTROL], LEVEL)
    made = gain_claim("response", found, right)
    assert made["claim"].startswith(f"gain over hard labels, response: {verdict} (")
    assert made["lower"] < made["value"] < made["upper"]
    assert np.mean(made["rounds"]) == pytest.approx(100 * found.point, abs=1e-3)


def test_the_control_takes_as_many_steps_on_its_fewer_rows():
    schedule = Schedule(epochs=3, learning_rate=1e-3, batch_rows=32, max_length=64, seed=1)
    longer = with_as_many_steps(schedule, 640, 300)
    assert (longer.steps(300), schedule.steps(640), longer.epochs) == (60, 60, 6)


def test_every_kind_is_a_valid_list_of_objectives():
    for objectives in KINDS.values():
        assert len(Distill.model_validate({"cut_layers": [0], "objectives": objectives}).learnt) == len(objectives)
