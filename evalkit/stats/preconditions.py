"""What every function of this package asks of its arguments, said once.

Each check raises ``ValueError`` with the argument's name, its value and the rule it breaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def require_fraction(name: str, value: float) -> None:
    """Raise unless ``value`` lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; give a fraction in (0, 1), e.g. 0.95 or 0.05")


def require_positive(name: str, value: float) -> None:
    """Raise unless ``value`` is finite and above 0."""
    if not (value > 0 and np.isfinite(value)):
        raise ValueError(f"{name} is {value}; give a finite number above 0")


def require_count(name: str, value: int, *, at_least: int = 0) -> None:
    """Raise unless ``value`` is a count of at least ``at_least``."""
    if value < at_least:
        raise ValueError(f"{name} is {value}; give a count of at least {at_least}")


def require_all(name: str, values: NDArray[np.float64], holds: NDArray[np.bool_], rule: str) -> None:
    """Raise with the first of ``values`` for which ``holds``, of the same shape, is false."""
    if not np.all(holds):
        raise ValueError(f"{name} is {values[~holds].flat[0]:g}; {rule}")


def finite_values(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as a flat float array of shape (n,); raises on NaN, infinity or a second dimension."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; give one dimension")
    broken = array.size - int(np.isfinite(array).sum())
    if broken:
        raise ValueError(f"{name} has {broken} values that are not finite; drop or repair them first")
    return array
