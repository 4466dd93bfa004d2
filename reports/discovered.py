"""Subpopulations that nobody declared: what was searched, what was found, and what was confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.quality.discovery.discovered import FOUND, Discovered, DiscoveryResult
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import RunRecord
from reports import numbers
from reports.naming import estimate_text, units_of
from reports.states import State
from reports.words import listed, one_line

CONFIRMED = State("▲", "confirmed", "noted")
NOT_CONFIRMED = State("○", "not confirmed", "open")
MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundView:
    """One candidate: its rows and gap on the half that confirms, and the mean gap of that half's other rows."""

    state: State
    name: str
    rows: str
    gap: str
    others: str
    q: str
    examples: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryView:
    """How the search went and what it left out, in sentences, and its candidates, confirmed first."""

    said: str
    left_out: str
    found: tuple[FoundView, ...]


def discovery_view(record: RunRecord) -> DiscoveryView:
    """The search for undeclared subpopulations; where it was not made, why."""
    result = record.discovery
    if result is None:
        return DiscoveryView(said="The spec turns the search off (discovery: null).", left_out="", found=())
    if result.not_searched is not None:
        why = f"Nothing was searched: {one_line(result.not_searched.reason)}."
        return DiscoveryView(said=why, left_out="", found=())
    return DiscoveryView(
        said=" ".join([*_search(result, units_of(record)), *_consequence(record, result), *_found_again(result)]),
        left_out=_left_out(result),
        found=tuple(_found(each) for each in result.candidates),
    )


def _search(result: DiscoveryResult, units: str) -> Iterator[str]:
    columns, candidates = numbers.counted(len(result.columns), "column"), len(result.candidates)
    where = f"Searched: {columns} on {numbers.count(result.rows_searched)} {units}"
    if not candidates:
        yield f"{where}. There no undeclared subpopulation loses clearly more than the other {units}."
        return
    yield (
        f"{where}. {numbers.counted(candidates, 'candidate')} {'was' if candidates == 1 else 'were'} tested on the "
        f"other {numbers.count(result.rows_confirming)} {units}, which the figures below are of."
    )
    confirmed = len(result.confirmed)
    yield (
        f"{numbers.count(confirmed)} {'is' if confirmed == 1 else 'are'} confirmed to lose more than the other "
        f"{units}. Of all that are confirmed, {numbers.stated(100 * result.false_discovery_rate)} % at most are "
        "expected to be false alarms (Benjamini–Hochberg)."
    )


def _consequence(record: RunRecord, result: DiscoveryResult) -> Iterator[str]:
    """What follows from a confirmed subpopulation, as the claims have it."""
    if not result.confirmed:
        return
    judged = [check.requirement for check in record.verdict.checks if check.requirement.subpopulation.startswith(FOUND)]
    if not judged:
        yield "No margin is stated for subpopulations, so they are shown and not judged."
    elif any(claim.required for claim in judged):
        yield "Each confirmed one is judged as a declared one is, among the claims above."
    else:
        yield "Each confirmed one is watched, among the claims above, and decides nothing."


def _found_again(result: DiscoveryResult) -> Iterator[str]:
    if result.declared:
        yield f"Found again, and judged as declared: {listed(map(one_line, result.declared), MOST_NAMED)}."


def _left_out(result: DiscoveryResult) -> str:
    if not result.skipped:
        return ""
    skipped = [f"{one_line(each.column)}, because {one_line(each.reason)}" for each in result.skipped]
    return f"Not searched: {listed(skipped, MOST_NAMED, '; ')}."


def _found(each: Discovered) -> FoundView:
    return FoundView(
        state=CONFIRMED if each.confirmed else NOT_CONFIRMED,
        name=one_line(each.name),
        rows=numbers.count(each.n_confirming),
        gap=estimate_text(GAP, each.gap.value),
        others="not known" if each.gap_of_others is None else f"{numbers.points(each.gap_of_others)} points",
        q=numbers.probability(each.q),
        examples=", ".join(one_line(row) for row in each.examples) or "none",
    )
