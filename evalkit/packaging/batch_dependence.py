"""How often a label depends on the texts that share its batch: int8 with scales found anew at every run has one scale
for the whole batch, padding included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import StageError
from evalkit.stats.proportions import proportion_bounds
from serving.engine import Engine
from serving.tokens import EncodedText

LEVEL = 0.95
FEWEST_BATCHES = 8
"""Batches are the independent units; where there are few texts, smaller batches are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDependence:
    """Of ``texts``, asked alone and in one random batch of ``batch_rows`` each, ``changed`` got another label there.

    ``lower`` and ``upper`` are the LEVEL interval of that share, Wilson's (Clopper and Pearson's where none or all
    change) at the effective sample size: one text with wide activations moves all its neighbours, so that batches,
    and not texts, are independent.
    """

    texts: int
    batch_rows: int
    changed: int
    lower: float
    upper: float
    most_label_flips: float


def batch_dependence(
    engine: Engine, texts: Sequence[str], batch_rows: int, most: float, rng: np.random.Generator
) -> BatchDependence:
    """Asks every text alone and in a random batch. Raises StageError where the share of labels that change is
    certainly above ``most``: what is served would not be what was judged."""
    encoded = engine.encode(texts)
    rows = min(batch_rows, max(2, len(encoded) // FEWEST_BATCHES))
    order = rng.permutation(len(encoded))
    alone, together = _labels(engine, encoded, 1), _labels(engine, [encoded[at] for at in order], rows)
    changed = together != alone[order]
    size = effective_size(changed, rows)
    lower, upper = proportion_bounds(changed.mean() * size, size, LEVEL)
    found = BatchDependence(
        texts=len(encoded),
        batch_rows=rows,
        changed=int(changed.sum()),
        lower=float(lower),
        upper=float(upper),
        most_label_flips=most,
    )
    if found.lower > most:
        raise StageError(
            f"{found.changed} of {found.texts} labels depend on which other texts share their batch of {rows} "
            f"({found.changed / found.texts:.1%}, at least {found.lower:.1%}); serve.most_label_flips allows {most:.1%}"
            ". Take int8_static, serve one text at a time (serve.max_batch_rows: 1), or allow more"
        )
    return found


def _labels(engine: Engine, encoded: Sequence[EncodedText], rows: int) -> NDArray[np.int64]:
    """The label numbers [texts], asked in batches of ``rows`` in the order given."""
    answered = [engine.logits(encoded[at : at + rows]).argmax(1) for at in range(0, len(encoded), rows)]
    return np.concatenate(answered)


def effective_size(changed: NDArray[np.bool_], rows: int) -> float:
    """How many independent texts tell as much as these, shape (n,), in batches of ``rows`` one after the other: n ÷
    Kish's design effect, from the variance of the batches' sums, and never more than n. Where none or all changed
    nothing is seen of how they hang together within a batch: then as many as there are batches.

    >>> round(effective_size(np.array([True, True, False, False, False, False]), rows=2), 3)
    2.0
    """
    n, share = changed.size, float(changed.mean())
    if share in (0.0, 1.0):
        return float(-(-n // rows))
    starts = np.arange(0, n, rows)
    sums = np.add.reduceat(changed.astype(np.float64), starts)
    off = sums - share * np.diff([*starts, n])
    variance = len(starts) / (len(starts) - 1) * float((off**2).sum()) / n**2
    return n / max(1.0, variance * n / (share * (1.0 - share)))
