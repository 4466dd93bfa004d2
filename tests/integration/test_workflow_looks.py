"""A planned look is stricter than the spec's confidence, and so is what it holds to be too small."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import DataError
from tests.recorded_projects import binary, over, record_of, write_gate, write_project

BLOCKED = {
    "task": {"labels": ["no", "yes"]},
    "subpopulations": {"by": ["channel"], "small": "block"},
    "requirements": {"quality": {"subpopulation_margin": 0.05, "retention": None}},
}


def test_a_group_that_only_this_looks_confidence_makes_too_small_is_blocked_once_the_look_is_known(tmp_path):
    """52 rows are the fewest at a margin of 5 points and 95 %; the first of three looks is at 97.74 %: 77."""
    channel = np.where(np.arange(2_000) < 60, "phone", "web")
    gate = write_project(tmp_path, binary(2_000).with_columns(channel=channel), **BLOCKED)
    assert record_of(gate, "one look").verdict.outcome
    (tmp_path / "runs" / "looks.jsonl").unlink()
    write_gate(tmp_path, **over(BLOCKED, {"requirements": {"looks": {"planned": 3}}}))
    with pytest.raises(DataError, match=r"channel=phone.*60.*77"):
        record_of(gate, "the first of three")
