"""Whether the file that will be served answers as the torch model does, or flips too many labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import StageError
from evalkit.packaging.precision import Precision
from serving.engine import Engine

LEVEL = 0.95
BATCH_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the exported file's logits are from torch's on ``texts`` real texts.

    ``flips_lower`` and ``flips_upper`` are Clopper and Pearson's exact 0.95 interval of the share of labels that flip
    (Biometrika 26, 1934, 404–413); texts are taken as independent. fp32 is held to ``tolerance``, every other
    precision to ``most_label_flips``; what it is not held to is None. ``compared_with`` is torch, or fp32 where the
    model was given as ONNX.
    """

    texts: int
    largest_logit_difference: float
    label_flips: int
    flips_lower: float
    flips_upper: float
    precision: str = Precision.FP32
    tolerance: float | None = None
    most_label_flips: float | None = None
    compared_with: str = "torch"


def flips_interval(flips: int, texts: int) -> tuple[float, float]:
    """Clopper and Pearson's exact bounds of ``flips`` ÷ ``texts`` at LEVEL.

    >>> [round(bound, 4) for bound in flips_interval(0, 100)]
    [0.0, 0.0362]
    """
    from scipy.stats import binomtest

    bounds = binomtest(flips, texts).proportion_ci(LEVEL, method="exact")
    return float(bounds.low), float(bounds.high)


def compare(expected: NDArray[np.float32], served: NDArray[np.float32], precision: Precision, source: str) -> Parity:
    """Compares logits [texts, labels]; judges nothing."""
    flips = int((expected.argmax(1) != served.argmax(1)).sum())
    lower, upper = flips_interval(flips, len(expected))
    return Parity(
        texts=len(expected),
        largest_logit_difference=float(np.abs(expected - served).max()),
        label_flips=flips,
        flips_lower=lower,
        flips_upper=upper,
        precision=precision,
        compared_with=source,
    )


def served_logits(engine: Engine, texts: Sequence[str]) -> NDArray[np.float32]:
    """Logits [texts, labels] of the served engine, tokenisation included, in batches of like length; of each text alone
    where they would depend on the others."""
    encoded, together = engine.encode(texts), 1 if engine.depends_on_batch else BATCH_ROWS
    logits = np.empty((len(encoded), len(engine.labels)), dtype=np.float32)
    by_length = np.argsort([len(row.ids) for row in encoded], kind="stable")
    for start in range(0, len(encoded), together):
        rows = by_length[start : start + together]
        logits[rows] = engine.logits([encoded[row] for row in rows])
    return logits


def refuse_difference(parity: Parity, tolerance: float) -> Parity:
    """fp32: the same numbers but for rounding. Raises StageError beyond ``tolerance``."""
    if not parity.largest_logit_difference <= tolerance:
        raise StageError(
            f"the exported ONNX file's logits differ from torch's by {parity.largest_logit_difference:.2g} on "
            f"{parity.texts} texts ({parity.label_flips} labels flip); serve.parity_tolerance allows {tolerance:g}"
        )
    return replace(parity, tolerance=tolerance)


def refuse_flips(parity: Parity, most: float) -> Parity:
    """Less precision: other numbers, the same labels. Raises StageError where the share of labels that flip is
    certainly above ``most``: the lower end of its interval is."""
    if parity.flips_lower > most:
        raise StageError(
            f"{parity.precision} flips {parity.label_flips} of {parity.texts} labels against {parity.compared_with} "
            f"({parity.label_flips / parity.texts:.1%}, at least {parity.flips_lower:.1%}); serve.most_label_flips "
            f"allows {most:.1%}. Choose another serve.precision, or allow more flips"
        )
    return replace(parity, most_label_flips=most)
