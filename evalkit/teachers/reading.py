"""From an API teacher's words to labels: an answer is a label exactly, or it is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.teachers.answers import Alternatives


def label_of(text: str, labels: Sequence[str]) -> str | None:
    """The label that the answer is, spaces around it aside; None for every other answer.

    >>> label_of(" yes\\n", ["no", "yes"])
    'yes'
    >>> label_of("Yes.", ["no", "yes"]) is None
    True
    """
    stripped = text.strip()
    return stripped if stripped in labels else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftLabel:
    """The probability mass of each label [labels], of answers that begin no label, and of what the API did not list;
    the three add up to 1."""

    masses: NDArray[np.float64]
    outside: float
    missing: float


def from_top_logprobs(tokens: Alternatives | None, labels: Sequence[str]) -> SoftLabel:
    """The labels' masses from the tokens listed for the first places of an answer.

    A listed token that only one label begins with gives that label its mass: what follows is taken for the rest of
    the label. Where several labels begin alike the next place is read, along the tokens that were chosen. Mass on
    tokens that were not listed, or that several labels share off the chosen path, is missing. Without tokens, all is.
    """
    masses, outside, path, written = np.zeros(len(labels)), 0.0, 1.0, ""
    for chosen, listed in tokens or ():
        ahead = None
        for token, logprob in listed:
            mass = path * min(1.0, math.exp(logprob))
            begun = (written + token).lstrip()
            fitting = [index for index, label in enumerate(labels) if label.startswith(begun.rstrip() or begun)]
            if not fitting:
                outside += mass
            elif len(fitting) == 1:
                masses[fitting[0]] += mass
            elif token == chosen:
                ahead = (mass, begun)
        if ahead is None:
            break
        path, written = ahead
    # rounding of the API's logarithms may carry the sum a little above 1
    total = max(1.0, float(masses.sum()) + outside)
    masses, outside = masses / total, outside / total
    return SoftLabel(masses=masses, outside=outside, missing=max(0.0, 1.0 - float(masses.sum()) - outside))


def from_samples(answers: Sequence[str], labels: Sequence[str], alpha: float) -> tuple[NDArray[np.float64], int]:
    """Each label's share of several answers, (votes + alpha) / (votes of all labels + alpha · labels) [labels], and
    how many answers were none of the labels: they vote for nothing.

    >>> shares, outside = from_samples(["yes", "yes", "maybe"], ["no", "yes"], alpha=0.5)
    >>> shares.round(4).tolist(), outside
    ([0.1667, 0.8333], 1)
    """
    votes = np.zeros(len(labels))
    for each in answers:
        label = label_of(each, labels)
        if label is not None:
            votes[labels.index(label)] += 1
    return (votes + alpha) / (votes.sum() + alpha * len(labels)), len(answers) - int(votes.sum())
