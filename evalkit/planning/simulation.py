"""Simulated held-out answers: four counts an atom, added up to groups, decided, and counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evalkit.planning.scenarios import Scenario, Setting
from evalkit.planning.simulated_gate import CELLS, Decided, decide_all

MOST_NUMBERS = 16_000_000
"""Simulated counts held at once; more tables are drawn in turns."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTable:
    """One simulated table, ``counts`` [groups, 4], with the verdict it got, to be decided again claim by claim."""

    counts: IntArray
    go: bool
    no_go: bool


@dataclass(slots=True, kw_only=True)
class Tally:
    """Verdicts of one scenario: ``go``, ``no_go`` and, where one claim lies at its bar, how often that claim
    passed."""

    go: int = 0
    no_go: int = 0
    passed: int = 0
    kept: list[KeptTable] = field(default_factory=list)

    def add(self, decided: Decided, claim: int | None) -> None:
        self.go += int(decided.go.sum())
        self.no_go += int(decided.no_go.sum())
        if claim is not None:
            self.passed += int(decided.passed[claim].sum())


def simulate(
    setting: Setting,
    base: Scenario,
    others: Sequence[Scenario],
    simulations: int,
    rng: np.random.Generator,
    *,
    kept: int,
) -> tuple[Tally, ...]:
    """One tally a scenario, ``base`` first; at least ``kept`` tables (where so many are simulated) are kept in all.

    Rows are independent, so a scenario that differs from the base in some atoms only draws those anew and keeps
    the others. Rates within one scenario are therefore independent draws; between scenarios they are not.
    """
    tallies = tuple(Tally() for _ in range(1 + len(others)))
    keep = -(-kept // len(tallies))
    for tables in _turns(simulations, len(setting.atoms.sizes)):
        drawn = _draw(setting.atoms.sizes, base.chances, tables, rng)
        sums = _add_up(setting, drawn, np.arange(len(drawn)))
        _decide(setting, sums, base, tallies[0], keep)
        for scenario, tally in zip(others, tallies[1:], strict=True):
            at = scenario.changed
            anew = _draw(setting.atoms.sizes[at], scenario.chances, tables, rng)
            _decide(setting, sums + _add_up(setting, anew - drawn[at], at), scenario, tally, keep)
    return tallies


def _decide(setting: Setting, sums: IntArray, scenario: Scenario, tally: Tally, keep: int) -> None:
    decided = decide_all(setting.rules, sums)
    tally.add(decided, scenario.claim)
    for table in _of_every_verdict(decided)[: keep - len(tally.kept)]:
        tally.kept.append(
            KeptTable(counts=sums[:, table].copy(), go=bool(decided.go[table]), no_go=bool(decided.no_go[table]))
        )


def _of_every_verdict(decided: Decided) -> IntArray:
    """Tables in an order that takes the verdicts in turn, so that the first few show all that there are."""
    turn = np.empty(len(decided.go), dtype=np.int64)
    for verdict in (decided.go, decided.no_go, ~(decided.go | decided.no_go)):
        turn[verdict] = np.arange(verdict.sum())
    return np.argsort(turn, kind="stable").astype(np.int64)


def _turns(simulations: int, atoms: int) -> Iterator[int]:
    most = max(1, MOST_NUMBERS // (CELLS * atoms))
    for done in range(0, simulations, most):
        yield min(most, simulations - done)


def _draw(sizes: IntArray, chances: FloatArray, tables: int, rng: np.random.Generator) -> IntArray:
    """Counts [atoms, tables, 4]."""
    drawn = rng.multinomial(sizes[:, None], chances[:, None, :], size=(len(sizes), tables))
    return np.asarray(drawn, dtype=np.int64)


def _add_up(setting: Setting, drawn: IntArray, at: IntArray) -> IntArray:
    """Counts [groups, tables, 4] of the atoms ``at``."""
    tables = drawn.shape[1]
    summed = setting.atoms.members[:, at] @ drawn.reshape(len(drawn), -1)
    return np.asarray(summed, dtype=np.int64).reshape(-1, tables, CELLS)
