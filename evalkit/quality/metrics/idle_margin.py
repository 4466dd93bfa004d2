"""A margin that no student can miss asks for nothing."""

from __future__ import annotations

from evalkit.errors import SpecError
from evalkit.quality.metrics.metric import Described


def refuse_idle_margin(metric: Described, margin: float) -> None:
    """Raises SpecError for a margin as wide as all that ``metric`` can be, or wider.

    A metric without bounds takes any margin: a user's own function that names no ``range``. So does log loss below
    15.9 nats, the most that it comes to; what is much for it depends on the labels.

    >>> from evalkit.quality.metrics.catalogue import metric
    >>> refuse_idle_margin(metric("macro_f1", "classification"), 1.0)
    Traceback (most recent call last):
    ...
    evalkit.errors.SpecError: metric macro_f1: the margin is 1, and macro_f1 is always from 0 to 1, so that every \
student would pass; give a margin below 1
    """
    lowest, highest = metric.range
    width = highest - lowest
    if margin >= width:
        raise SpecError(
            f"metric {metric.name}: the margin is {margin:g}, and {metric.name} is always from {lowest:g} to "
            f"{highest:g}, so that every student would pass; give a margin below {width:g}"
        )
