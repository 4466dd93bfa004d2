from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evalkit.decision.requirement import STUDENT_P99, Direction, Requirement
from evalkit.errors import StageError
from evalkit.planning.cross_check import cross_check
from evalkit.planning.simulated_gate import Decided, Rules, decide_all
from evalkit.planning.simulation import KeptTable
from evalkit.stats.measurement import ALL_ROWS
from tests.unit.planning.asking import gap_claim, retention_claim

LATENCY = Requirement(measurement=STUDENT_P99, subpopulation=ALL_ROWS, bound=50.0, direction=Direction.BELOW)
RULES = Rules(
    claims=(gap_claim(ALL_ROWS, 0.05), retention_claim(0.93), gap_claim("a=1", 0.08), gap_claim("a=2", 0.08)),
    place={ALL_ROWS: 0, "a=1": 1, "a=2": 2},
    confidence=0.95,
    others=(LATENCY,),
)


def drawn(tables: int, loss: float, seed: int = 3) -> np.ndarray:
    """Two groups of 80 and 220 rows that make up all rows, [3, tables, 4]."""
    rng = np.random.default_rng(seed)
    chances = [0.75, 0.02, 0.02 + loss, 0.21 - loss]
    first, second = rng.multinomial(80, chances, tables), rng.multinomial(220, chances, tables)
    return np.stack([first + second, first, second])


def kept(counts: np.ndarray, decided: Decided) -> list[KeptTable]:
    return [
        KeptTable(counts=counts[:, table], go=bool(decided.go[table]), no_go=bool(decided.no_go[table]))
        for table in range(counts.shape[1])
    ]


@pytest.mark.parametrize("loss", [0.0, 0.03, 0.08, 0.15])
def test_the_rules_along_an_axis_decide_as_the_gate_does(loss: float) -> None:
    counts = drawn(20, loss)
    assert cross_check(RULES, kept(counts, decide_all(RULES, counts))) == 20


def test_every_verdict_occurs_in_what_is_compared() -> None:
    """Else agreement would mean little."""
    decided = [decide_all(RULES, drawn(20, loss)) for loss in (0.0, 0.03, 0.08, 0.15)]
    go, no_go = (np.concatenate([getattr(each, name) for each in decided]) for name in ("go", "no_go"))
    assert min(go.sum(), no_go.sum(), (~(go | no_go)).sum()) >= 5


def test_a_verdict_that_the_gate_would_not_give_is_an_error() -> None:
    counts = drawn(1, 0.0)
    (table,) = kept(counts, decide_all(RULES, counts))
    with pytest.raises(StageError, match="the self-check decided NO-GO where the gate decides"):
        cross_check(RULES, [KeptTable(counts=table.counts, go=False, no_go=True)])


def test_claims_that_are_not_simulated_make_no_go_rarer() -> None:
    """Holm's family holds every required claim, measured or not."""
    counts = drawn(4000, 0.08)
    alone = Rules(claims=RULES.claims, place=RULES.place, confidence=0.95)
    crowd = Rules(claims=RULES.claims, place=RULES.place, confidence=0.95, others=(LATENCY,) * 20)
    assert decide_all(crowd, counts).no_go.sum() < decide_all(alone, counts).no_go.sum()


def with_claim(number: int, **changed: Any) -> Rules:
    """The rules with another policy for one claim."""
    claims = list(RULES.claims)
    claims[number] = replace(claims[number], **changed)
    return replace(RULES, claims=tuple(claims))


def test_a_group_without_rows_keeps_the_verdict_open() -> None:
    counts = drawn(10, -0.02)
    counts[1] = 0
    decided = decide_all(RULES, counts)
    assert not decided.go.any()
    assert not decided.passed[2].any()
    assert cross_check(RULES, kept(counts, decided)) == 10


def test_a_group_below_minimum_rows_cannot_pass_and_can_fail() -> None:
    rules, good, bad = with_claim(2, rows_short=1), drawn(10, -0.02), drawn(10, 0.0)
    bad[1] = [20, 0, 60, 0]
    assert decide_all(RULES, good).go.any()
    assert not decide_all(rules, good).go.any()
    assert not decide_all(rules, good).passed[2].any()
    assert decide_all(rules, bad).no_go.all()
    for counts in (good, bad):
        assert cross_check(rules, kept(counts, decide_all(rules, counts))) == 10


def test_a_claim_that_is_not_simulated_and_lacks_rows_leaves_no_go() -> None:
    rules, counts = replace(RULES, others=(replace(LATENCY, rows_short=1),)), drawn(10, -0.02)
    assert not decide_all(rules, counts).go.any()
    assert cross_check(rules, kept(counts, decide_all(rules, counts))) == 10


def test_a_merged_group_holds_no_go_open_and_can_fail() -> None:
    rules = with_claim(2, required=False, merged_into=ALL_ROWS)
    good, bad = drawn(10, -0.02), drawn(10, -0.02)
    few = np.array([6, 0, 0, 2])
    good[0], good[1] = good[2] + few, few
    bad[0], bad[1] = bad[2] + [0, 0, 8, 0], [0, 0, 8, 0]
    assert not decide_all(RULES, good).go.any(), "8 rows are too few to pass"
    assert decide_all(rules, good).go.all()
    assert decide_all(rules, bad).no_go.all()
    for counts in (good, bad):
        assert cross_check(rules, kept(counts, decide_all(rules, counts))) == 10


def test_a_teacher_that_is_never_right_leaves_retention_open() -> None:
    counts = np.tile(np.array([0, 1, 0, 299]), (3, 1, 1))
    decided = decide_all(RULES, counts)
    assert not decided.passed[1].any()
    assert cross_check(RULES, kept(counts, decided)) == 1
