"""What the search for undeclared subpopulations came back with, tested as the search tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from scipy.stats import false_discovery_control

from evalkit.quality.discovery.coding import Skipped
from evalkit.quality.discovery.confirm import exact_p
from evalkit.quality.discovery.discovered import FOUND, Discovered, DiscoveryResult
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from tests.unit.reports.counted import cell
from tests.unit.reports.hostile import HOSTILE, LONG_WORD
from tests.unit.reports.measured import LEVEL, of

HALF = cell(5400, lost=0.02)
RATE = 0.05
NO_PROBABILITIES = NotEstimable(reason="no probabilities of the teacher and student are recorded", n=0)


def searched(
    finds: Mapping[str, PairedCounts], *, declared: tuple[str, ...] = (), skipped: tuple[Skipped, ...] = ()
) -> DiscoveryResult:
    """Candidates with these counts on the confirming half: p, q and whether each is confirmed are computed."""
    tested = sorted((_candidate(name, counts) for name, counts in finds.items()), key=lambda each: each.p)
    adjusted = false_discovery_control([each.p for each in tested], method="bh") if tested else ()
    return DiscoveryResult(
        candidates=tuple(
            dataclasses.replace(each, q=float(q), confirmed=bool(q <= RATE))
            for each, q in zip(tested, adjusted, strict=True)
        ),
        declared=declared,
        columns=("language", "product", "@words", "@script", "@topic"),
        skipped=skipped,
        rows_searched=5400,
        rows_confirming=HALF.n,
        false_discovery_rate=RATE,
    )


def _candidate(name: str, inside: PairedCounts) -> Discovered:
    outside = (HALF.teacher_only, HALF.student_only, HALF.n)
    p = exact_p((inside.teacher_only, inside.student_only, inside.n), outside)
    return Discovered(
        name=name,
        conditions=tuple((part.partition("=")[0], part.partition("=")[2]) for part in name.split(", ")),
        n_searched=inside.n + 3,
        n_confirming=inside.n,
        gap_searched=-0.2,
        gap=of(GAP, difference(inside, LEVEL), FOUND + name, counts=inside),
        gap_of_others=(HALF.student_only - HALF.teacher_only) / HALF.n,
        p=p,
        q=p,
        confirmed=False,
        examples=tuple(f"row-{number:05d}" for number in range(min(3, inside.teacher_only))),
    )


def confirmed() -> DiscoveryResult:
    """One is far worse than the rest, one a little, one not; another is declared, and two columns are left out."""
    return searched(
        {
            "@script=Cyrillic, @words=≥23": cell(180, lost=0.3),
            "language=fi": cell(260, lost=0.06),
            "product=gift card": cell(300, lost=0.02),
        },
        declared=("channel=tweet",),
        skipped=(
            Skipped(column="ticket", reason="nearly every row has its own value (10,800 values)"),
            Skipped(column="region", reason="it has one value only"),
        ),
    )


def nothing_found() -> DiscoveryResult:
    """The search found no candidate."""
    return searched({})


def too_few_rows() -> DiscoveryResult:
    """Nothing was searched."""
    nothing = NotEstimable(
        reason="the smaller half has 80 rows; a search with min_rows 50 needs 100 in each, 200 in all",
        n=160,
        n_needed=200,
    )
    return dataclasses.replace(searched({}), columns=(), rows_searched=80, rows_confirming=80, not_searched=nothing)


def hostile() -> DiscoveryResult:
    """Whoever wrote the columns and their values means ill."""
    return searched(
        {f"channel={HOSTILE}": cell(180, lost=0.3), f"channel={LONG_WORD}": cell(180, lost=0.3)},
        declared=(f"channel={HOSTILE}",),
        skipped=(Skipped(column=HOSTILE, reason=HOSTILE), Skipped(column=LONG_WORD, reason=LONG_WORD)),
    )
