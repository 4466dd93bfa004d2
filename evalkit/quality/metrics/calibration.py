"""How far a model's confidence is from how often it is right."""

from __future__ import annotations

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, FloatArray, Summed, ratio
from evalkit.quality.metrics.probabilities import probability_of

BINS = 15


def ece() -> Summed:
    """Expected calibration error over 15 bins of equal width, ((b − 1)/15, b/15] (Guo et al. 2017, "On calibration
    of modern neural networks", eq. 3): |accuracy − confidence| of each bin, weighted by its rows. The confidence is
    the probability that the model gives to its own answer.

    It is biased upwards: within a bin chance alone moves accuracy off confidence, so that even a perfectly
    calibrated model scores above 0, the more so the fewer the rows (Kumar et al. 2019, "Verified uncertainty
    calibration"). The bootstrap adds the same again, so that an interval of one model's own value leans upwards;
    in the paired gap most of it cancels. Compare it between models on the same rows only.
    """

    def terms(answered: Answered) -> FloatArray:
        confidence = probability_of(answered, answered.predicted)
        excess = confidence - (answered.predicted == answered.truth)
        bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        by_bin = np.zeros((len(answered), BINS + 1))
        by_bin[np.arange(len(answered)), bins] = excess
        by_bin[:, BINS] = 1.0
        return by_bin

    return Summed(
        name="ece",
        meaning="mean |accuracy − confidence| over 15 bins of confidence",
        unit="probability (15 bins, biased upwards on few rows)",
        higher_is_better=False,
        range=SHARES,
        needs_probabilities=True,
        terms=terms,
        finish=lambda sums: ratio(np.abs(sums[..., :BINS]).sum(axis=-1), sums[..., BINS]),
    )
