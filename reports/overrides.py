"""Decisions of people beside the gate's verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.record.override import Override
from reports import numbers
from reports.states import VERDICTS, State
from reports.words import one_line, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideView:
    """One override: the outcome that somebody put beside the verdict, why, and whether it holds. ``title`` says so
    before its outcome is read."""

    title: str
    holds: bool
    state: State
    by: str
    at: str
    reason: str
    standing: str


def override_views(overrides: Sequence[Override]) -> tuple[OverrideView, ...]:
    """Every override, the latest first; the latest that is not stale holds."""
    holding = max((each.number for each in overrides if not each.stale), default=None)
    return tuple(_view(each, holding) for each in sorted(overrides, key=lambda each: -each.number))


def _view(override: Override, holding: int | None) -> OverrideView:
    stated = override.statement
    title, standing = _standing(override, holding)
    return OverrideView(
        title=title,
        holds=override.number == holding,
        state=VERDICTS[stated.outcome],
        by=one_line(stated.by),
        at=numbers.moment(stated.at),
        reason=sentence(one_line(stated.reason)),
        standing=standing,
    )


def _standing(override: Override, holding: int | None) -> tuple[str, str]:
    verdict = override.statement.of_outcome
    if override.stale:
        return (
            "Stale override",
            f"It was made for an earlier verdict of this run ({verdict}) and says nothing of this one.",
        )
    if override.number != holding:
        return "Replaced override", "A later override stands in its place."
    return "Overridden", f"The gate's own verdict, {verdict}, is unchanged and stands above."
