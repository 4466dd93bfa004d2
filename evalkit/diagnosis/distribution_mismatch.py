"""Distribution mismatch: can a classifier tell held-out texts from production texts?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.diagnosis.coverage import least_covered
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.population_stability import length_stability
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

FEWEST_TEXTS = 200
MOST_TEXTS = 2000
MOST_CHARACTERS = 500
FOLDS = 5
MOST_FEATURES = 50_000
REPLICATES = 500
ALARM_AUC = 0.55
ALARM_P = 0.01
PRACTICE = "draw the held-out set and the training text anew from production inputs, then repeat the gate"


def distribution_mismatch(
    held_out: Sequence[str],
    production: Sequence[str],
    level: float,
    rng: np.random.Generator,
    training: Sequence[str] = (),
) -> Finding:
    """Classifier two-sample test on TF-IDF of 1 to 4 characters, for any script.

    It fires when p < .01 and the AUC's lower bound is above 0.55.
    The AUC is out of fold (5 folds), its interval a percentile bootstrap over texts; p is Mann and Whitney's of the
    same scores, one-sided. At most 2,000 texts of each side, drawn by ``rng``, and 500 characters of each. Where it
    fires, the examples are the production texts least like any text of ``training`` (without one, of the held-out set).
    Source: Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests".
    """
    smaller = min(len(held_out), len(production))
    if smaller < FEWEST_TEXTS:
        reason = f"{smaller} texts on the smaller side; {FEWEST_TEXTS} are needed"
        return _finding(NotEstimable(reason=reason, n=smaller, n_needed=FEWEST_TEXTS), f"not measured: {reason}")
    ours, theirs = _draw(held_out, rng), _draw(production, rng)
    sides = np.repeat([0, 1], [len(ours), len(theirs)])
    scores = _out_of_fold(ours + theirs, sides, int(rng.integers(2**31)))
    value = _bootstrap(scores, sides, level, rng)
    p = _p_no_difference(scores[sides == 0], scores[sides == 1])
    if value.lower <= ALARM_AUC or p >= ALARM_P:
        return _finding(value, _explain(value, p, ours, theirs))
    covering = _draw(training, rng) if len(training) else ours
    return _finding(value, _explain(value, p, ours, theirs), least_covered(covering, theirs))


def _finding(value: Estimate, explanation: str, examples: tuple[str, ...] = ()) -> Finding:
    """Fired where there are ``examples`` of what is not covered."""
    return Finding(
        failure_mode=FailureMode.DISTRIBUTION_MISMATCH,
        measurement=Measurement(
            name="held_out_against_production_auc",
            subpopulation=ALL_ROWS,
            unit="area under the curve",
            value=value,
            evidence="findings.json",
        ),
        fired=bool(examples),
        explanation=explanation,
        corrective_practice=PRACTICE,
        examples=examples,
    )


def _draw(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    chosen = rng.permutation(len(texts))[:MOST_TEXTS]
    return [texts[index][:MOST_CHARACTERS] for index in chosen]


def _out_of_fold(texts: list[str], sides: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """How much each text looks like production, said by a classifier that never saw it. The features know all texts,
    but not their sides."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    features = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2, max_features=MOST_FEATURES
    ).fit_transform(texts)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(LogisticRegression(max_iter=500), features, sides, cv=folds, method="predict_proba")
    return np.asarray(scores[:, 1], dtype=np.float64)


def _bootstrap(
    scores: NDArray[np.float64], sides: NDArray[np.int64], level: float, rng: np.random.Generator
) -> Interval:
    first, second = scores[sides == 0], scores[sides == 1]
    drawn = [area(rng.choice(first, len(first)), rng.choice(second, len(second))) for _ in range(REPLICATES)]
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(
        point=area(first, second),
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=len(scores),
        method=f"out-of-fold AUC, percentile bootstrap ({REPLICATES})",
    )


def area(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> float:
    """Area under the ROC curve: P(positive > negative) + ½ P(equal).

    >>> area(np.array([0.1, 0.4]), np.array([0.35, 0.8]))
    0.75
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    ties = np.searchsorted(ordered, positive, side="right") - below
    return float((below + 0.5 * ties).sum() / (len(negative) * len(positive)))


def _p_no_difference(held_out: NDArray[np.float64], production: NDArray[np.float64]) -> float:
    """That production texts do not score higher. Equal scores throughout tell nothing apart."""
    from scipy.stats import mannwhitneyu

    if np.ptp(np.concatenate([held_out, production])) == 0:
        return 1.0
    return float(mannwhitneyu(production, held_out, alternative="greater", method="asymptotic").pvalue)


def _explain(value: Interval, p: float, held_out: Sequence[str], production: Sequence[str]) -> str:
    lengths = length_stability(held_out, production)
    return (
        f"a classifier tells held-out from production texts with AUC {value.point:.2f} "
        f"({value.lower:.2f} to {value.upper:.2f}; 0.5 = not at all, alarm when the lower bound is above {ALARM_AUC} "
        f"and p, here {p:.2g}, below {ALARM_P}); stability index of text length {lengths:.2f}"
    )
