"""A user's own metric, given as ``package.module:function``.

The function is called as ``function(truth, predicted, probabilities)`` and returns one finite number:

==============  ===============================  ===============================  ==================================
task kind       truth                            predicted                        probabilities
==============  ===============================  ===============================  ==================================
classification  list of labels (str)             list of labels (str)             float array [rows, labels] in the
                                                                                  order of task.labels, or None
multilabel      list of label sets (frozenset)   list of label sets (frozenset)   the same, not summing to 1, or None
generation      list of texts (str)              list of texts (str)              None
ranking         float array: relevance of the    float array: the model's score   None
                items of ONE query               of the same items
==============  ===============================  ===============================  ==================================

An answer of a classification that is none of the labels is "(outside)". The function is called once for each model and
group of rows and again for every resample, with rows repeated as often as they were drawn; in ranking once for each
query, and averaged. So it should be fast, depend on nothing but its arguments, and accept repeated rows and few of
them. Where it has no value it returns NaN: the claim is then not
estimable. Raising on all rows ends the gate; raising in a group leaves its claim not estimable; a resample on which
it raises or gives NaN is left out, and where those are more than 5 % there is no estimate.

Two attributes of the function may say more of it. Higher is better, unless ``lower_is_better`` is true. ``range`` is
the lowest and the highest value that it can have, such as ``(0, 1)``: a margin as wide is then refused, since every
student would pass. Without it any margin is allowed.

It is the user's code, run with the user's rights: open no gate.yaml of somebody you do not trust.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import SpecError
from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import (
    UNBOUNDED,
    BoolArray,
    FloatArray,
    IntArray,
    Metric,
    Summed,
    Weighted,
    mean,
    with_ones,
)
from evalkit.quality.metrics.rankings import queries_of
from evalkit.spec.gate import OUTSIDE
from evalkit.spec.own_code import imported, in_one_line

OwnFunction = Callable[[Any, Any, Any], Any]


class OwnMetricFailed(SpecError):
    """The user's function raised, or gave back something that is not a number."""


def own_metric(name: str, kind: str) -> Metric:
    """The metric of the user's function ``name``. Raises SpecError where there is no such function, and for a
    ``range`` that is none."""
    function = _imported(name)
    described: dict[str, Any] = {
        "name": name,
        "meaning": _first_line(function),
        "unit": f"as {name} defines it",
        "higher_is_better": not bool(getattr(function, "lower_is_better", False)),
        "range": _range(name, function),
        "undefined": f"{name} gives no finite number here",
    }
    if kind == "ranking":
        return Summed(**described, terms=lambda answered: with_ones(_by_query(name, function, answered)), finish=mean)
    return Weighted(
        **described, prepare=lambda answered: _of_repeated_rows(name, function, answered), differ=_answers_differ
    )


def _imported(name: str) -> OwnFunction:
    module_name, _, attribute = name.partition(":")
    function = getattr(imported(module_name, f"metric {name}"), attribute, None)
    if not callable(function):
        what = "is not there" if function is None else f"is of type {type(function).__name__}"
        raise SpecError(
            f"metric {name}: {attribute} {what} in module {module_name}; define a function "
            f"{attribute}(truth, predicted, probabilities) that returns one number"
        )
    return function  # type: ignore[no-any-return]


def _first_line(function: OwnFunction) -> str:
    lines = (function.__doc__ or "").strip().splitlines()
    return lines[0] if lines else "your own metric"


def _range(name: str, function: OwnFunction) -> tuple[float, float]:
    given = getattr(function, "range", UNBOUNDED)
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    if not pair or not all(isinstance(end, numbers.Real) for end in given) or not given[0] < given[1]:
        raise SpecError(
            f"metric {name}: its range is {in_one_line(repr(given))}; give the lowest and the highest value that it "
            "can have, e.g. (0, 1)"
        )
    return float(given[0]), float(given[1])


def _answers_differ(one: Answered, other: Answered) -> BoolArray:
    """Rows with another answer, or other probabilities where both models gave some, [n]."""
    pairs = [(one.predicted, other.predicted)]
    if one.probabilities is not None and other.probabilities is not None:
        pairs.append((one.probabilities, other.probabilities))
    differ = np.zeros(len(one), dtype=np.bool_)
    for first, second in pairs:
        unlike = np.asarray(first != second, dtype=np.bool_)
        differ |= unlike if unlike.ndim == 1 else unlike.any(axis=1)
    return differ


def _of_repeated_rows(name: str, function: OwnFunction, answered: Answered) -> Callable[[FloatArray], FloatArray]:
    rows = np.arange(len(answered))
    truth, predicted = (_readable(each, answered.labels) for each in (answered.truth, answered.predicted))
    given = None if answered.probabilities is None else answered.probabilities.astype(np.float64)

    def value(often: IntArray) -> float:
        drawn = np.repeat(rows, often)
        probabilities = None if given is None else given[drawn]
        try:
            return _call(name, function, truth[drawn].tolist(), predicted[drawn].tolist(), probabilities)
        except OwnMetricFailed:
            if (often == 1).all():
                raise
            return math.nan  # a resample may lack what the rows have, a label say

    def values(weights: FloatArray) -> FloatArray:
        return np.array([value(often) for often in weights.astype(np.int64)], dtype=np.float64)

    return values


def _by_query(name: str, function: OwnFunction, answered: Answered) -> FloatArray:
    query, count = queries_of(answered)
    order = np.argsort(query, kind="stable")
    ends = np.cumsum(np.bincount(query, minlength=count))[:-1]
    parts = zip(np.split(answered.truth[order], ends), np.split(answered.predicted[order], ends), strict=True)
    return np.array([_call(name, function, truth, scores, None) for truth, scores in parts], dtype=np.float64)


def _readable(values: NDArray[Any], labels: tuple[str, ...]) -> NDArray[np.object_]:
    """Labels, label sets or texts, [n], instead of numbers."""
    readable = np.empty(len(values), dtype=object)
    if values.ndim == 2:
        readable[:] = [frozenset(labels[number] for number in np.flatnonzero(row)) for row in values]
    elif values.dtype.kind == "i":
        readable[:] = np.asarray((*labels, OUTSIDE), dtype=object)[values]
    else:
        readable[:] = values
    return readable


def _call(name: str, function: OwnFunction, truth: Any, predicted: Any, probabilities: Any) -> float:
    """The function's number, NaN where it is not finite. Raises OwnMetricFailed."""
    rows = len(truth)
    try:
        value = function(truth, predicted, probabilities)
    except (Exception, SystemExit) as error:
        raise OwnMetricFailed(
            f"metric {name} raised {type(error).__name__} on {rows} rows: {in_one_line(str(error))}; mend the function"
        ) from error
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OwnMetricFailed(
            f"metric {name} returned {in_one_line(repr(value))} ({type(value).__name__}); return one number"
        )
    return float(value) if math.isfinite(value) else math.nan
