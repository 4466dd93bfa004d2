"""BLEU and chrF of a whole set of answers, from the n-gram counts that sacrebleu takes of each row.

Both are functions of sums over rows, so that a resample needs no text. The counts, tokenisation and defaults are
sacrebleu's; only the last step, from sums to a score, is written again here for many sums at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import FloatArray, Summed, ratio

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

ORDER = 4
CHRF_BETA = 2.0
POINTS = (0.0, 100.0)


def bleu() -> Summed:
    """Corpus BLEU from 0 to 100 (Papineni et al. 2002; Post 2018): 13a tokens, up to 4-grams, mixed case, "exp"
    smoothing, one reference: sacrebleu's defaults."""
    return Summed(
        name="bleu",
        meaning="corpus BLEU as sacrebleu computes it (13a tokens, 4-grams, exp smoothing)",
        unit="points of 100",
        higher_is_better=True,
        range=POINTS,
        package="sacrebleu",
        terms=_bleu_counts,
        finish=_bleu,
    )


def chrf() -> Summed:
    """Corpus chrF2 from 0 to 100 (Popović 2015): character n-grams up to 6, no word n-grams, β = 2, one reference:
    sacrebleu's defaults."""
    return Summed(
        name="chrf",
        meaning="corpus chrF2 as sacrebleu computes it (character n-grams up to 6)",
        unit="points of 100",
        higher_is_better=True,
        range=POINTS,
        package="sacrebleu",
        terms=_chrf_counts,
        finish=_chrf,
    )


def _bleu_counts(answered: Answered) -> FloatArray:
    """Length of answer and reference, then shared and answered n-grams of each order, then a 1, [n, 11]."""
    from sacrebleu.metrics.bleu import BLEU

    return _counts(BLEU(force=True), answered, 2 + 2 * ORDER)


def _chrf_counts(answered: Answered) -> FloatArray:
    """Answered, reference and shared n-grams of each order, then a 1, [n, 19]."""
    from sacrebleu.metrics.chrf import CHRF

    return _counts(CHRF(), answered, 3 * CHRF.CHAR_ORDER)


def _bleu(sums: FloatArray) -> FloatArray:
    answered, reference = sums[..., 0], sums[..., 1]
    shared, possible = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER : 2 + 2 * ORDER]
    # "exp" smoothing: the i-th order without a match counts as 1 ÷ 2^i matches, while there are n-grams at all.
    unmatched = (shared == 0) & (possible > 0)
    matches = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), shared)
    scored = (possible > 0).all(axis=-1) & (shared > 0).any(axis=-1)
    precisions = np.divide(matches, possible, out=np.ones_like(matches), where=possible > 0)
    brevity = np.exp(np.minimum(0.0, 1 - np.where(answered > 0, ratio(reference, answered), np.inf)))
    score = 100 * brevity * np.exp(np.log(precisions).mean(axis=-1))
    return np.where(sums[..., -1] > 0, np.where(scored, score, 0.0), np.nan)


def _chrf(sums: FloatArray) -> FloatArray:
    answered, reference, shared = (sums[..., first:-1:3] for first in range(3))
    counted = (answered > 0) & (reference > 0)
    orders = counted.sum(axis=-1)
    precision, recall = (
        np.divide(shared, of, out=np.zeros_like(of), where=counted).sum(axis=-1) / np.maximum(orders, 1)
        for of in (answered, reference)
    )
    below = CHRF_BETA**2 * precision + recall
    score = np.divide(100 * (1 + CHRF_BETA**2) * precision * recall, below, out=np.zeros_like(below), where=below > 0)
    return np.where(sums[..., -1] > 0, score, np.nan)


def _counts(scorer: BLEU | CHRF, answered: Answered, width: int) -> FloatArray:
    if len(answered) == 0:
        return np.zeros((0, width + 1))
    counted = scorer._extract_corpus_statistics(list(answered.predicted), [list(answered.truth)])
    return np.hstack([np.asarray(counted, dtype=np.float64), np.ones((len(answered), 1))])
