"""A user's own function as a metric: what it is given, and that whatever it does ends in words."""

from __future__ import annotations

import importlib
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from evalkit.data.subpopulations import Group
from evalkit.errors import SpecError
from evalkit.quality.metrics.catalogue import metric
from evalkit.quality.metrics.idle_margin import refuse_idle_margin
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.stats.interval import Interval, NotEstimable

LABELS = ("no", "yes")

SOURCE = '''
    import sys

    def accuracy(truth, predicted, probabilities):
        """Share of right answers."""
        return sum(t == p for t, p in zip(truth, predicted)) / len(truth)

    def error(truth, predicted, probabilities):
        return 1 - accuracy(truth, predicted, probabilities)
    error.lower_is_better = True

    def needs_a_yes(truth, predicted, probabilities):
        if "yes" not in truth:
            raise ValueError("no yes among the rows")
        return accuracy(truth, predicted, probabilities)

    seen = []
    def record(truth, predicted, probabilities):
        seen.append((truth, predicted, probabilities))
        return 0.5

    def spoils(truth, predicted, probabilities):
        value = accuracy(truth, predicted, probabilities)
        truth.clear()
        predicted.clear()
        return value

    def best_item(truth, predicted, probabilities):
        return float(truth[predicted.argmax()])

    def in_range(truth, predicted, probabilities):
        return accuracy(truth, predicted, probabilities)
    in_range.range = (0, 1)

    def upside_down(*_): return 0.5
    upside_down.range = (1, 0)

    def half_a_range(*_): return 0.5
    half_a_range.range = [0.5]

    def words_for_range(*_): return 0.5
    words_for_range.range = ("low", "high")

    def without_end(*_): return 0.5
    without_end.range = (float("nan"), 1)

    def shouts(*_): raise ValueError("first line\\n\\n  second\\x1b[31m " + "!" * 1000)
    def raises(*_): raise KeyError("lost")
    def leaves(*_): sys.exit(0)
    def text(*_): return "0.9"
    def nothing(*_): return None
    def flag(*_): return True
    def nan(*_): return float("nan")
    def infinite(*_): return float("inf")
    number = 3
'''


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_metrics_under_test.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
    (tmp_path / "own_metrics_broken.py").write_text("raise RuntimeError('half written')", encoding="utf-8")
    (tmp_path / "own_metrics_leaving.py").write_text("raise SystemExit(0)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("own_metrics_under_test", "own_metrics_broken", "own_metrics_leaving"):
        sys.modules.pop(name, None)


def table(n=200):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, n)
    names = np.array(LABELS, dtype=object)
    teacher, student = (np.where(rng.random(n) < wrong, 1 - truth, truth) for wrong in (0.1, 0.2))
    return pd.DataFrame({"row_label": names[truth], "teacher": names[teacher], "student": names[student]})


def measured(function, data=None, groups=(), kind="classification", query=None):
    data = table() if data is None else data
    name = f"own_metrics_under_test:{function}"
    found = metric_measurements(
        data,
        kind,
        LABELS if kind == "classification" else (),
        [name],
        groups,
        None,
        query,
        0.9,
        np.random.default_rng(0),
        replicates=200,
    )
    return {(each.name.removesuffix(f"_{name}"), each.subpopulation): each.value for each in found}


def test_an_own_metric_has_a_gap_and_both_values_like_any_other():
    data = table()
    found = measured("accuracy", data)
    teacher, student = ((data[model] == data["row_label"]).mean() for model in ("teacher", "student"))
    assert found["teacher", "all"].point == pytest.approx(teacher)
    gap = found["student_minus_teacher", "all"]
    assert gap.point == pytest.approx(student - teacher)
    assert gap.lower < gap.point < gap.upper
    assert gap.method.startswith("paired bootstrap")


def test_its_first_line_is_its_meaning_and_it_says_if_lower_is_better():
    of_accuracy = metric("own_metrics_under_test:accuracy", "classification")
    of_error = metric("own_metrics_under_test:error", "classification")
    assert of_accuracy.meaning == "Share of right answers."
    assert (of_accuracy.higher_is_better, of_error.higher_is_better) == (True, False)


def test_it_is_given_lists_of_labels_and_an_array_of_probabilities():
    data = table(30)
    for model in ("teacher", "student"):
        data[f"{model}_probability_no"], data[f"{model}_probability_yes"] = np.float32(0.25), np.float32(0.75)
    measured("record", data)
    truth, predicted, probabilities = importlib.import_module("own_metrics_under_test").seen[0]
    assert truth == data["row_label"].tolist()
    assert predicted == data["teacher"].tolist()
    assert probabilities.tolist() == [[0.25, 0.75]] * 30


def test_it_is_given_sets_of_labels_in_multilabel_and_texts_in_generation():
    sets = pd.DataFrame({"row_label": ["no|yes", ""], "teacher": ["yes", ""], "student": ["", "no"]})
    metric_measurements(
        sets, "multilabel", LABELS, ["own_metrics_under_test:record"], [], None, None, 0.9, np.random.default_rng(0)
    )
    seen = importlib.import_module("own_metrics_under_test").seen
    assert seen[0] == ([frozenset({"no", "yes"}), frozenset()], [frozenset({"yes"}), frozenset()], None)
    seen.clear()
    texts = pd.DataFrame({"row_label": ["one", "two"], "teacher": ["one", ""], "student": ["1", "two"]})
    metric_measurements(
        texts, "generation", (), ["own_metrics_under_test:record"], [], None, None, 0.9, np.random.default_rng(0)
    )
    assert seen[0] == (["one", "two"], ["one", ""], None)


def test_in_ranking_it_is_called_once_a_query_and_averaged():
    data = pd.DataFrame(
        {
            "row_label": [0.0, 2.0, 1.0, 0.0, 3.0, 1.0],
            "teacher": [0.1, 0.9, 0.5, 0.4, 0.5, 0.6],
            "student": [0.9, 0.1, 0.5, 0.4, 0.7, 0.6],
            "query": ["a", "a", "b", "b", "c", "c"],
        }
    )
    data = pd.concat([data.assign(query=data["query"] + str(copy)) for copy in range(5)], ignore_index=True)
    found = measured("best_item", data, kind="ranking", query="query")
    assert found["teacher", "all"].point == pytest.approx((2 + 1 + 1) / 3)
    assert found["student", "all"].point == pytest.approx((0 + 1 + 3) / 3)


def test_a_function_that_spoils_its_arguments_spoils_nothing():
    spoiled, whole = measured("spoils")["teacher", "all"], measured("accuracy")["teacher", "all"]
    assert spoiled.point == whole.point
    assert spoiled.lower == pytest.approx(whole.lower, abs=0.02)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raises", "raised KeyError on 200 rows"),
        ("leaves", "raised SystemExit on 200 rows"),
        ("text", r"returned '0.9' \(str\); return one number"),
        ("nothing", r"returned None \(NoneType\)"),
        ("flag", r"returned True \(bool\)"),
    ],
)
def test_what_is_no_number_ends_the_gate_with_its_name(function, message):
    with pytest.raises(SpecError, match=f"own_metrics_under_test:{function} {message}"):
        measured(function)


def test_what_it_says_as_it_fails_is_told_in_one_line():
    with pytest.raises(SpecError) as caught:
        measured("shouts")
    message = str(caught.value)
    assert "raised ValueError on 200 rows: first line second [31m !!!" in message
    assert message.isprintable()
    assert message.endswith("!! …; mend the function")
    assert len(message) < 420


@pytest.mark.parametrize("margin", [1, 1.5])
def test_a_margin_as_wide_as_the_range_that_it_names_is_refused(margin):
    found = metric("own_metrics_under_test:in_range", "classification")
    assert found.range == (0, 1)
    refuse_idle_margin(found, 0.99)
    with pytest.raises(SpecError, match=f"in_range: the margin is {margin:g}, and .* from 0 to 1.*below 1"):
        refuse_idle_margin(found, margin)


def test_a_function_that_names_no_range_takes_any_margin():
    refuse_idle_margin(metric("own_metrics_under_test:accuracy", "classification"), 1e9)
    refuse_idle_margin(metric("own_metrics_under_test:best_item", "ranking"), 1e9)


@pytest.mark.parametrize("function", ["upside_down", "half_a_range", "words_for_range", "without_end"])
def test_a_range_that_is_none_is_refused(function):
    with pytest.raises(
        SpecError, match=rf"{function}: its range is .*; give the lowest and the highest value .* \(0, 1\)"
    ):
        metric(f"own_metrics_under_test:{function}", "classification")


@pytest.mark.parametrize("function", ["nan", "infinite"])
def test_a_number_that_is_not_finite_is_missing_evidence(function):
    for value in measured(function).values():
        assert isinstance(value, NotEstimable)
        assert f"own_metrics_under_test:{function} gives no finite number" in value.reason


def test_raising_in_a_group_leaves_that_group_not_estimable():
    data = table()
    without = np.flatnonzero(data["row_label"] == "no")
    group = Group(name="only no", rows=without, margin=0.1, required=True)
    found = measured("needs_a_yes", data, [group])
    assert isinstance(found["student_minus_teacher", "all"], Interval)
    missing = found["student_minus_teacher", "only no"]
    assert isinstance(missing, NotEstimable)
    assert "raised ValueError" in missing.reason
    assert "no yes among the rows" in missing.reason


def test_resamples_on_which_it_raises_are_counted_and_may_be_too_many():
    """One yes in 40 rows is missing from (1 − 1/40)⁴⁰ = 36 % of the resamples."""
    data = table(200)
    data["row_label"] = "no"
    rows = np.concatenate([[0], np.arange(1, 40)])
    data.loc[0, "row_label"] = "yes"
    found = measured("needs_a_yes", data, [Group(name="one yes", rows=rows, margin=0.1, required=True)])
    missing = found["student_minus_teacher", "one yes"]
    assert isinstance(missing, NotEstimable)
    assert "of the resamples" in missing.reason


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_metrics_absent:f", "module own_metrics_absent cannot be imported.*PYTHONPATH"),
        ("own_metrics_broken:f", "RuntimeError: half written"),
        ("own_metrics_leaving:f", "SystemExit"),
        ("own_metrics_under_test:absent", "absent is not there in module own_metrics_under_test; define a function"),
        ("own_metrics_under_test:number", "number is of type int"),
    ],
)
def test_what_cannot_be_imported_is_named_with_what_to_do(name, message):
    with pytest.raises(SpecError, match=message):
        metric(name, "classification")
