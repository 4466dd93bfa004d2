"""The self-check: how often the gate would be wrong, or silent, on this spec's own rows and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.decision.requirement import Requirement
from evalkit.errors import SpecError
from evalkit.planning.atoms import atoms
from evalkit.planning.cross_check import cross_check
from evalkit.planning.left_out import LeftOut, left_out
from evalkit.planning.plan import Assumed, assumed
from evalkit.planning.question import Question
from evalkit.planning.rates import rates_of
from evalkit.planning.scenarios import (
    MOST_SCENARIOS,
    Scenario,
    Setting,
    Truth,
    alike,
    as_assumed,
    at_every_bar,
    at_one_bar,
    most_erring,
    true_sides,
)
from evalkit.planning.simulated_gate import Rules
from evalkit.planning.simulation import Tally, simulate
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS
from evalkit.stats.proportions import proportion

SIMULATED = (GAP, RETENTION)
LEVEL = 0.95
DECIDED_AGAIN = 60
DOCUMENTED_EXCESS = 1.36
"""The score test's one-sided error at the bar is at most 6.8 % where 5 % are promised (n = 133, margin 0.02, losses
only): see docs/how-the-gate-decides.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRates:
    """How often one truth got each verdict, with Monte-Carlo intervals. ``false_go`` and ``false_no_go`` say which
    of the two would be an error. ``own_pass`` is how often the claim at its bar passed, whatever the others did."""

    truth: Truth
    measurement: str | None
    subpopulation: str | None
    bound: float | None
    n: int
    go: Estimate
    no_go: Estimate
    inconclusive: Estimate
    own_pass: Estimate | None
    false_go: bool
    false_no_go: bool
    go_too_often: bool
    no_go_too_often: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """``promised`` is α, ``allowed`` what the score test is documented to reach. ``holds`` unless a false verdict is
    shown to come more often than that: its rate's lower bound, at 95 % over all rates together, lies above."""

    simulations: int
    seed: int
    rows: int
    atoms: int
    claims: int
    confidence: float
    promised: float
    allowed: float
    assumed: Assumed
    rates: tuple[VerdictRates, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    cross_checked: int
    holds: bool

    @property
    def alike(self) -> VerdictRates:
        return self.rates[0]

    @property
    def at_bars(self) -> tuple[VerdictRates, ...]:
        """The truths at one claim's bar, the most frequent false GO first."""
        at_bar = [each for each in self.rates if each.truth is Truth.AT_ONE_BAR]
        return tuple(sorted(at_bar, key=lambda each: -_point(each.go)))


def self_check(question: Question, simulations: int, seed: int, decided_again: int = DECIDED_AGAIN) -> SelfCheck:
    """Simulates the gate on the question's own rows; at least ``decided_again`` tables are decided by the gate's own
    code as well. Raises SpecError where nothing paired is required, StageError
    where the simulated rules and the gate's disagree."""
    setting = _setting(question)
    base = alike(setting)
    chosen = most_erring(
        setting,
        [question.rates(claim.subpopulation) for claim in setting.claims],
    )
    others = [at_one_bar(setting, claim) for claim in chosen]
    others.append(at_every_bar(setting))
    if question.assumptions.difference:
        others.append(as_assumed(setting, question.assumptions.difference))
    tallies = simulate(setting, base, others, simulations, np.random.default_rng(seed), kept=decided_again)
    rates = _rates(setting, (base, *others), tallies, simulations)
    return SelfCheck(
        simulations=simulations,
        seed=seed,
        rows=question.rows,
        atoms=len(setting.atoms.sizes),
        claims=len(setting.claims),
        confidence=question.confidence,
        promised=1.0 - question.confidence,
        allowed=_allowed(question.confidence),
        assumed=assumed(question),
        rates=rates,
        left_out=left_out(question, setting.claims),
        notes=_notes(question, setting, len(chosen)),
        cross_checked=cross_check(setting.rules, [table for tally in tallies for table in tally.kept]),
        holds=not any(each.go_too_often or each.no_go_too_often for each in rates),
    )


def _setting(question: Question) -> Setting:
    claims = tuple(claim for claim in question.counted(SIMULATED) if claim.can_break)
    if not any(claim.required for claim in claims):
        raise SpecError("no claim about accuracy or retention is required; there is nothing that a self-check can try")
    names = tuple(dict.fromkeys((ALL_ROWS, *(claim.subpopulation for claim in claims))))
    cut = atoms(question.rows, [question.members[name] for name in names])
    overall = question.overall
    return Setting(
        rules=Rules(
            claims=claims,
            place={name: number for number, name in enumerate(names)},
            confidence=question.confidence,
            others=tuple(claim for claim in question.claims if claim.can_break and claim not in claims),
        ),
        atoms=cut,
        rates=tuple(rates_of(question.observed, rows, overall) for rows in cut.rows),
    )


def _rates(
    setting: Setting, scenarios: Sequence[Scenario], tallies: Sequence[Tally], simulations: int
) -> tuple[VerdictRates, ...]:
    sides = [true_sides(setting, each, scenarios[0]) for each in scenarios]
    allowed, tested = _allowed(setting.rules.confidence), sum(map(sum, sides))
    return tuple(
        _rate(setting, scenario, tally, simulations, side, allowed, tested)
        for scenario, tally, side in zip(scenarios, tallies, sides, strict=True)
    )


def _rate(
    setting: Setting,
    scenario: Scenario,
    tally: Tally,
    simulations: int,
    side: tuple[bool, bool],
    allowed: float,
    tested: int,
) -> VerdictRates:
    claim: Requirement | None = None if scenario.claim is None else setting.claims[scenario.claim]
    false_go, false_no_go = side
    return VerdictRates(
        truth=scenario.truth,
        measurement=None if claim is None else claim.measurement,
        subpopulation=None if claim is None else claim.subpopulation,
        bound=None if claim is None else claim.bound,
        n=int(setting.atoms.sizes[scenario.changed].sum()),
        go=proportion(tally.go, simulations, LEVEL),
        no_go=proportion(tally.no_go, simulations, LEVEL),
        inconclusive=proportion(simulations - tally.go - tally.no_go, simulations, LEVEL),
        own_pass=None if claim is None else proportion(tally.passed, simulations, LEVEL),
        false_go=false_go,
        false_no_go=false_no_go,
        go_too_often=false_go and _shown_above(tally.go, simulations, allowed, tested),
        no_go_too_often=false_no_go and _shown_above(tally.no_go, simulations, allowed, tested),
    )


def _shown_above(count: int, simulations: int, allowed: float, tested: int) -> bool:
    """Whether a rate is shown to exceed ``allowed``, at 95 % one-sided over all ``tested`` rates (Bonferroni)."""
    bound = proportion(count, simulations, 1.0 - 2.0 * (1.0 - LEVEL) / max(1, tested))
    return isinstance(bound, Interval) and bound.lower > allowed


def _allowed(confidence: float) -> float:
    return DOCUMENTED_EXCESS * (1.0 - confidence)


def _notes(question: Question, setting: Setting, chosen: int) -> tuple[str, ...]:
    notes = []
    if chosen < len(setting.claims):
        notes.append(
            f"{chosen} of {len(setting.claims)} claims were put at their bar: the {MOST_SCENARIOS} whose own test errs "
            "most by exact enumeration"
        )
    raised = [
        claim.subpopulation
        for claim in setting.claims
        if claim.measurement == GAP and -claim.bound > question.rates(claim.subpopulation).discordance
    ]
    if raised:
        notes.append(
            f"in {len(raised)} groups the margin exceeds the discordance ({', '.join(raised[:3])}"
            f"{' …' if len(raised) > 3 else ''}): at their bar the student only loses rows and gains none"
        )
    if question.clusters is not None:
        notes.append(
            "rows that share a cluster are simulated as independent: these rates hold for independent rows, and the "
            "gate counts clustered ones for fewer"
        )
        refused = [claim.subpopulation for claim in setting.claims if question.too_few_clusters(claim.subpopulation)]
        if refused:
            notes.append(
                f"in {len(refused)} claims the gate will refuse an estimate, because their clusters are too few "
                f"({', '.join(refused[:3])}{' …' if len(refused) > 3 else ''})"
            )
    return (*notes, *question.blocked)


def _point(estimate: Estimate) -> float:
    return estimate.point if isinstance(estimate, Interval) else 0.0
