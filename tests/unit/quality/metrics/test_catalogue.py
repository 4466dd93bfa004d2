"""Names are found, or refused with the nearest and all of them."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest

from evalkit.errors import SpecError
from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import KINDS, defaults, described, metric, names
from evalkit.quality.metrics.idle_margin import refuse_idle_margin


def filled_in(name):
    return name.replace("<label>", "yes").replace("<threshold>", "0.25").replace("<k>", "1")


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_that_is_listed_can_be_asked_for(kind):
    for name, about in zip(names(kind), described(kind), strict=True):
        found = metric(filled_in(name), kind, ("no", "yes"))
        assert found.name == filled_in(name)
        assert about.name == name
        assert (about.unit, about.meaning) == (found.unit, found.meaning)
        assert about.unit
        assert about.meaning


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_always_measured_is_known_and_needs_no_optional_package(kind):
    for name in defaults(kind):
        assert metric(name, kind).package is None
    assert set(defaults(kind, probabilities=False)) <= set(defaults(kind))
    assert not any(metric(name, kind).needs_probabilities for name in defaults(kind, probabilities=False))


def test_losses_are_better_low_and_all_else_high():
    low = {about.name for kind in KINDS for about in described(kind) if not about.higher_is_better}
    assert low == {"log_loss", "brier", "ece", "hamming_loss"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_metric_takes_a_margin_as_wide_as_all_that_it_can_be(kind):
    for name in names(kind):
        found = metric(filled_in(name), kind, ("no", "maybe", "yes") if kind == "classification" else ("no", "yes"))
        lowest, highest = found.range
        assert -math.inf < lowest < highest < math.inf
        refuse_idle_margin(found, 0.99 * (highest - lowest))
        with pytest.raises(
            SpecError, match=rf"metric {re.escape(found.name)}: the margin is .* every student would pass"
        ):
            refuse_idle_margin(found, highest - lowest)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("accuracy", "classification", (0, 1)),
        ("auc:yes", "classification", (0, 1)),
        ("log_loss", "multilabel", (0, pytest.approx(15.94, abs=0.01))),
        ("ndcg@10", "ranking", (0, 1)),
        ("bleu", "generation", (0, 100)),
        ("chrf", "generation", (0, 100)),
    ],
)
def test_ranges_are_in_the_unit_of_the_metric(name, kind, expected):
    assert metric(name, kind).range == expected


@pytest.mark.parametrize(("labels", "highest"), [(("no", "yes"), 1), (("no", "maybe", "yes"), 2), (None, 2)])
def test_the_worst_brier_score_of_two_labels_is_half_of_that_of_more(labels, highest):
    found = metric("brier", "classification", labels)
    assert found.range == (0, highest)
    number = 2 if labels is None else len(labels) - 1
    answered = Answered(
        model="model",
        labels=labels or ("a", "b", "c"),
        truth=np.zeros(3, dtype=np.int64),
        predicted=np.full(3, number),
        probabilities=np.eye(number + 1)[[number] * 3],
    )
    assert found.value(answered) == highest


@pytest.mark.parametrize(("name", "package"), [("bleu", "sacrebleu"), ("chrf", "sacrebleu"), ("rouge_l", "rapidfuzz")])
def test_a_missing_package_is_a_fault_of_the_spec_that_names_the_extra_to_install(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"metric {name} needs the package {package}, .*pip install 'evalkit-gate\[generation\]'"
    with pytest.raises(SpecError, match=message) as caught:
        metric(name, "generation")
    assert caught.value.exit_code == 2
    assert name in names("generation")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("macro_f2", "classification", "metric macro_f2 is not known; did you mean macro_f1.*balanced_accuracy"),
        ("macro_f1", "ranking", "macro_f1 is for task.kind classification and multilabel, not for ranking"),
        ("ndcg@10", "generation", "ndcg@10 is for task.kind ranking, not for generation"),
        ("top", "classification", "metric top is not complete; write it as top@<k>, e.g. top@3"),
        ("f1", "classification", "write it as f1:<label>, e.g. f1:yes"),
        ("top@0", "classification", "not complete; write it as top@<k>"),
        ("precision@1:yes", "classification", r"the threshold is 1; give a probability in \(0, 1\)"),
        ("recall@0:yes", "multilabel", r"the threshold is 0; give a probability in \(0, 1\)"),
        ("f1:maybe", "classification", "task.labels does not name 'maybe'; it names no, yes"),
        ("top@2", "classification", "top@2 is 1 for every model of 2 labels; give a k from 1 to 1"),
        ("", "classification", "is not known"),
        ("accuracy", "regression", "task.kind is regression; give one of classification"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_remedy(name, kind, message):
    with pytest.raises(SpecError, match=message):
        metric(name, kind, ("no", "yes"))


def test_a_label_may_hold_colons_and_spaces():
    assert metric("f1:kind: other", "classification", ("kind: other", "x")).name == "f1:kind: other"
    assert metric("precision@.5:a:b", "multilabel", ("a:b", "x")).name == "precision@.5:a:b"


def test_a_built_in_name_is_never_imported(monkeypatch):
    def refuse(*_):
        raise AssertionError("imported")

    monkeypatch.setattr("importlib.import_module", refuse)
    assert metric("auc:yes", "classification").name == "auc:yes"
    with pytest.raises(SpecError, match=r"for task\.kind classification and multilabel"):
        metric("auc:yes", "ranking")
