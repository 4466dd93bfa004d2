"""Where every claim that may decide stands, so that one of them can be changed and the outcome read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.evidence import Claim
from evalkit.decision.family import p_broken
from evalkit.decision.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The required claims and those of merged groups [n] with their p-values [n] of being broken, and which of them
    hold no GO open [n].

    ``is_barred`` says that no claim could make it a GO. Holm rejects some claim exactly where the smallest p-value
    times n is at most α, so that much of it decides the outcome.
    """

    claims: tuple[Claim, ...]
    p_values: NDArray[np.float64]
    lets_go: NDArray[np.bool_]
    confidence: float
    is_barred: bool

    @property
    def error(self) -> float:
        """α, the error that all claims share."""
        return 1.0 - self.confidence

    @property
    def is_enough(self) -> NDArray[np.bool_]:
        """Which claims [n] are each enough for a NO-GO."""
        return np.asarray(self.p_values * len(self.claims) <= self.error)

    @property
    def required(self) -> list[int]:
        """The numbers of the claims that a GO needs."""
        return [number for number, claim in enumerate(self.claims) if claim.requirement.required]

    @property
    def merged(self) -> list[int]:
        """The numbers of the claims that can do nothing but break."""
        return [number for number, claim in enumerate(self.claims) if not claim.requirement.required]

    @property
    def outcome(self) -> Outcome:
        """The outcome as it is."""
        return self._read(float(self.p_values.min(initial=1.0)), bool(self.lets_go.all()))

    def but_for(self, index: int) -> Callable[[Claim], Outcome]:
        """The outcome with another claim in the place of ``index``, all others held fixed."""
        others_p = float(np.delete(self.p_values, index).min(initial=1.0))
        others_let_go = bool(np.delete(self.lets_go, index).all())

        def outcome(claim: Claim) -> Outcome:
            return self._read(min(others_p, float(p_broken([claim])[0])), others_let_go and claim.lets_go)

        return outcome

    def _read(self, smallest_p: float, all_let_go: bool) -> Outcome:
        if self.claims and smallest_p * len(self.claims) <= self.error:
            return Outcome.NO_GO
        return Outcome.GO if all_let_go and not self.is_barred else Outcome.INCONCLUSIVE


def standing_of(claims: Sequence[Claim], confidence: float, *, is_barred: bool) -> Standing:
    """Where those of ``claims`` stand that may decide. Where none is required, no GO is possible."""
    deciding = tuple(claim for claim in claims if claim.requirement.can_break)
    return Standing(
        claims=deciding,
        p_values=p_broken(deciding),
        lets_go=np.array([claim.lets_go for claim in deciding], dtype=np.bool_),
        confidence=confidence,
        is_barred=is_barred or not any(claim.requirement.required for claim in deciding),
    )
