"""Every metric by name and task kind."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from evalkit.errors import SpecError
from evalkit.quality.metrics import (
    area_under_curve,
    calibration,
    confusion,
    corpus,
    label_sets,
    own,
    probabilities,
    rankings,
    texts,
    thresholds,
)
from evalkit.quality.metrics.metric import Described, Metric
from evalkit.quality.metrics.optional_package import require_package

KINDS = ("classification", "multilabel", "ranking", "generation")

MANY = 3
"""How many labels a task has of which it is not known; more make no difference to a range."""

_LABEL = r"(?P<label>.+)"
_THRESHOLD = r"(?P<threshold>\d*\.?\d+)"
_K = r"(?P<k>[1-9]\d*)"
_OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Metrics whose name has a part to fill in, such as f1:<label>. ``example`` is one of them."""

    pattern: str
    example: str
    build: Callable[[Mapping[str, str]], Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A metric whose range hangs on how many labels the task has."""

    build: Callable[[int], Metric]


Entry = Callable[[], Metric] | Family | Sized


def _of_label(build: Callable[[str], Metric], name: str) -> Family:
    return Family(pattern=f"{name}:{_LABEL}", example=f"{name}:<label>", build=lambda parts: build(parts["label"]))


def _at_threshold(build: Callable[[float, str], Metric], name: str) -> Family:
    return Family(
        pattern=f"{name}@{_THRESHOLD}:{_LABEL}",
        example=f"{name}@0.5:<label>",
        build=lambda parts: build(_threshold(parts), parts["label"]),
    )


def _at_k(build: Callable[[int], Metric], name: str) -> Family:
    return Family(pattern=f"{name}@{_K}", example=f"{name}@3", build=lambda parts: build(int(parts["k"])))


_PRECISION = _at_threshold(thresholds.precision_at, "precision")
_RECALL = _at_threshold(thresholds.recall_at, "recall")
_AUC = _of_label(area_under_curve.auc_of, "auc")

_ENTRIES: Mapping[str, Mapping[str, Entry]] = {
    "classification": {
        "accuracy": confusion.accuracy,
        "balanced_accuracy": confusion.balanced_accuracy,
        "macro_f1": confusion.macro_f1,
        "f1:<label>": _of_label(confusion.f1_of, "f1"),
        "precision@<threshold>:<label>": _PRECISION,
        "recall@<threshold>:<label>": _RECALL,
        "auc:<label>": _AUC,
        "top@<k>": _at_k(probabilities.top_k, "top"),
        "log_loss": probabilities.log_loss,
        "brier": Sized(build=probabilities.brier),
        "ece": calibration.ece,
    },
    "multilabel": {
        "accuracy": label_sets.subset_accuracy,
        "macro_f1": label_sets.macro_f1,
        "micro_f1": label_sets.micro_f1,
        "hamming_loss": label_sets.hamming_loss,
        "f1:<label>": _of_label(label_sets.f1_of, "f1"),
        "precision@<threshold>:<label>": _PRECISION,
        "recall@<threshold>:<label>": _RECALL,
        "auc:<label>": _AUC,
        "log_loss": probabilities.label_log_loss,
        "brier": probabilities.label_brier,
    },
    "ranking": {"ndcg@<k>": _at_k(rankings.ndcg_at, "ndcg"), "mrr": rankings.mrr},
    "generation": {
        "accuracy": texts.accuracy,
        "exact_match": texts.exact_match,
        "token_f1": texts.token_f1,
        "rouge_l": texts.rouge_l,
        "chrf": corpus.chrf,
        "bleu": corpus.bleu,
    },
}

_DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "classification": ("balanced_accuracy", "macro_f1", "log_loss", "brier", "ece"),
    "multilabel": ("macro_f1", "micro_f1", "hamming_loss", "log_loss", "brier"),
    "ranking": ("ndcg@10", "mrr"),
    "generation": ("exact_match", "token_f1"),
}


def names(kind: str) -> tuple[str, ...]:
    """Every metric of task ``kind``; <label>, <threshold> and <k> are to be filled in."""
    return tuple(_entries(kind))


def described(kind: str) -> tuple[Described, ...]:
    """What each of ``names`` is, in their order. Needs no optional package."""
    return tuple(replace(_example(entry), name=name) for name, entry in _entries(kind).items())


def defaults(kind: str, *, probabilities: bool = True) -> tuple[str, ...]:
    """The metrics always reported over all rows; without ``probabilities`` only those that need none.

    None of them needs an optional package.
    """
    _entries(kind)
    return tuple(name for name in _DEFAULTS[kind] if probabilities or not metric(name, kind).needs_probabilities)


def metric(name: str, kind: str, labels: tuple[str, ...] | None = None) -> Metric:
    """The metric called ``name`` for a task of ``kind``: one of ``names``, or a user's own ``package.module:function``.

    With ``labels``, the task's, a name that speaks of another label is refused too. Raises SpecError for an unknown
    name, with the nearest and all of them, and where an optional package is missing.

    >>> metric("macro_f1", "classification").unit, metric("ndcg@10", "ranking").higher_is_better
    ('mean F1', True)
    """
    built = _built_in(name, kind, labels)
    if built is not None:
        if built.package is not None:
            require_package(built.package, name)
        return replace(built, name=name)
    if _OWN.fullmatch(name) and _family_of(name) is None:
        return own.own_metric(name, kind)
    raise SpecError(_unknown(name, kind))


def is_own(name: str, kind: str) -> bool:
    """Whether ``name`` is a user's own function and none of the metrics of task ``kind``."""
    return _built_in(name, kind, None) is None


def _built_in(name: str, kind: str, labels: tuple[str, ...] | None) -> Metric | None:
    for known, entry in _entries(kind).items():
        if not isinstance(entry, Family):
            if name == known:
                return _whole(entry, MANY if labels is None else len(labels))
        elif (match := re.fullmatch(entry.pattern, name)) is not None:
            parts = match.groupdict()
            _refuse_unfit(name, parts, labels)
            return entry.build(parts)
    return None


def _entries(kind: str) -> Mapping[str, Entry]:
    if kind not in _ENTRIES:
        raise SpecError(f"task.kind is {kind}; give one of {', '.join(KINDS)}")
    return _ENTRIES[kind]


def _example(entry: Entry) -> Metric:
    if not isinstance(entry, Family):
        return _whole(entry, MANY)
    match = re.fullmatch(entry.pattern, entry.example)
    assert match is not None
    return entry.build(match.groupdict())


def _whole(entry: Callable[[], Metric] | Sized, labels: int) -> Metric:
    return entry.build(labels) if isinstance(entry, Sized) else entry()


def _threshold(parts: Mapping[str, str]) -> float:
    return float(parts["threshold"])


def _refuse_unfit(name: str, parts: Mapping[str, str], labels: tuple[str, ...] | None) -> None:
    if "threshold" in parts and not 0 < _threshold(parts) < 1:
        raise SpecError(f"metric {name}: the threshold is {parts['threshold']}; give a probability in (0, 1)")
    if labels is None:
        return
    if "label" in parts and parts["label"] not in labels:
        raise SpecError(f"metric {name}: task.labels does not name '{parts['label']}'; it names {', '.join(labels)}")
    if name.startswith("top@") and int(parts["k"]) >= len(labels):
        raise SpecError(
            f"metric {name} is 1 for every model of {len(labels)} labels; give a k from 1 to {len(labels) - 1}"
        )


def _family_of(name: str) -> str | None:
    """The built-in name, of any kind, that ``name`` starts with."""
    start = re.split("[@:]", name)[0]
    every = (known for entries in _ENTRIES.values() for known in entries)
    return next((known for known in every if re.split("[@:]", known)[0] == start), None)


def _unknown(name: str, kind: str) -> str:
    known = names(kind)
    family = _family_of(name)
    other = [each for each in KINDS if family is not None and family in _ENTRIES[each] and each != kind]
    every = f"task.kind {kind} has {', '.join(known)}, and your own as package.module:function"
    if family in known:
        return f"metric {name} is not complete; write it as {family}, e.g. {_written_out(kind, str(family))}. {every}"
    if other:
        return f"metric {name} is for task.kind {' and '.join(other)}, not for {kind}; {every}"
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    remedy = f"did you mean {nearest[0]}? " if nearest else ""
    return f"metric {name} is not known; {remedy}{every}"


def _written_out(kind: str, known: str) -> str:
    entry = _ENTRIES[kind][known]
    return entry.example.replace("<label>", "yes") if isinstance(entry, Family) else known
