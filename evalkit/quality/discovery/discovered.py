"""What the search for undeclared subpopulations comes back with."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.quality.discovery.coding import Skipped
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import Measurement

FOUND = "found: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """Rows found on one half in which the student loses more than in the others, and what the other half says.

    ``name`` reads like a declared group's (``@words=≥23, @script=Cyrillic``); ``conditions`` are its parts.
    ``gap`` is the paired gap in its rows of the confirming half, named ``found: <name>``, and ``gap_of_others`` the
    mean gap of that half's other rows. ``p`` tests that it loses no more than they do, ``q`` is p after
    Benjamini–Hochberg. ``examples`` are row ids of the confirming half where the teacher is right and the student
    wrong.
    """

    name: str
    conditions: tuple[tuple[str, str], ...]
    n_searched: int
    n_confirming: int
    gap_searched: float
    gap: Measurement
    gap_of_others: float | None
    p: float
    q: float
    confirmed: bool
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryResult:
    """All candidates, confirmed first; the columns searched and those left out; how many rows each half had.

    ``declared`` are finds that are a declared group: they are judged there. ``not_searched`` says why nothing was
    searched, and is None where the search was made.
    """

    candidates: tuple[Discovered, ...]
    declared: tuple[str, ...]
    columns: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    rows_searched: int
    rows_confirming: int
    false_discovery_rate: float
    not_searched: NotEstimable | None = None

    @property
    def confirmed(self) -> tuple[Discovered, ...]:
        return tuple(each for each in self.candidates if each.confirmed)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The gap of every confirmed subpopulation, on the half that confirmed it."""
        return tuple(each.gap for each in self.confirmed)
