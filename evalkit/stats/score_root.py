"""Where a falling score statistic crosses a level: the bounds of every score interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Each step halves the bracket; 60 leave 1e-18 of it, below the spacing of doubles near 1.
_HALVINGS = 60


def crossing(
    statistic: Callable[[FloatArray], FloatArray], height: float, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """Elementwise bisection for the argument at which ``statistic`` falls through ``height``.

    ``statistic`` maps shape (...) to shape (...) and does not rise; ``lower`` and ``upper`` bracket
    the crossing. Where the statistic never falls through, the end that it tends to is returned: that
    is the right bound when an estimate sits on the edge of its domain. The ends are never evaluated.
    """
    lower, upper = lower.copy(), upper.copy()
    for _ in range(_HALVINGS):
        middle = (lower + upper) / 2
        above = statistic(middle) > height
        lower = np.where(above, middle, lower)
        upper = np.where(above, upper, middle)
    return (lower + upper) / 2
