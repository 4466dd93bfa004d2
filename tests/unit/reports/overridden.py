"""What people decided instead: overrides that hold, were replaced or are stale."""

from __future__ import annotations

from evalkit.decision.outcome import Outcome
from evalkit.record.override import Override, Statement
from tests.unit.reports.hostile import HOSTILE, LONG_WORD


def override_of(
    number: int, outcome: Outcome, *, reason: str, by: str = "Ada", stale: bool = False, of: Outcome = Outcome.NO_GO
) -> Override:
    """An override in place of the verdict ``of``."""
    return Override(
        number=number,
        statement=Statement(
            outcome=outcome,
            reason=reason,
            by=by,
            at=f"2025-03-0{number}T12:00:00Z",
            of_verdict_sha256="d4" * 32,
            of_outcome=of,
        ),
        stale=stale,
    )


def several() -> tuple[Override, ...]:
    """One of an earlier verdict, one that was replaced, and the one that holds."""
    return (
        override_of(1, Outcome.GO, reason="the pilot needs it", by="Grace", stale=True, of=Outcome.INCONCLUSIVE),
        override_of(2, Outcome.INCONCLUSIVE, reason="tweets were mislabelled; wait for the new labels"),
        override_of(3, Outcome.GO, reason="tweets go to the teacher until June", by="Ada, release lead"),
    )


def hostile() -> tuple[Override, ...]:
    """Whoever overrides means ill."""
    return (
        override_of(1, Outcome.GO, reason=HOSTILE, by=LONG_WORD),
        override_of(2, Outcome.INCONCLUSIVE, reason=LONG_WORD, by=HOSTILE),
    )
