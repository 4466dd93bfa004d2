"""The bar: margins, further metrics and planned looks, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.loading import parse_spec
from evalkit.spec.requirements import Looks, MetricBar, QualityBar, Requirements

MINIMAL: dict[str, Any] = {
    "task": {"name": "reviews", "labels": ["bad", "good"]},
    "data": {"held_out": "held_out.csv"},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
}


def bar(**requirements: Any) -> Requirements:
    text = yaml.safe_dump(MINIMAL | {"requirements": {"cost_reduction": None} | requirements})
    return parse_spec(text, "gate.yaml").requirements


def quality(**changes: Any) -> QualityBar:
    return bar(quality=changes).quality


def refused(match: str, **requirements: Any) -> None:
    with pytest.raises(SpecError, match=rf"^gate\.yaml: requirements\.{match}") as raised:
        bar(**requirements)
    assert "\n" not in str(raised.value)


class TestMargins:
    @pytest.mark.parametrize("margin", [0, 1, 1.0, 5, -0.05], ids=repr)
    @pytest.mark.parametrize("key", ["overall_margin", "subpopulation_margin"])
    def test_that_are_no_share_are_refused_with_an_example(self, key: str, margin: float) -> None:
        refused(
            rf"quality\.{key} is {margin}: .*(greater than 0|less than 1); give a fraction in \(0, 1\), e\.g\. 0\.05",
            quality={key: margin},
        )

    @pytest.mark.parametrize("margin", [float("nan"), float("inf")])
    def test_that_are_no_number_are_refused(self, margin: float) -> None:
        refused(r"quality\.overall_margin is (nan|inf): .*finite", quality={"overall_margin": margin})

    def test_may_be_null_where_only_metrics_are_asked_for(self) -> None:
        asked = quality(overall_margin=None, retention=None)
        assert (asked.overall_margin, asked.retention, asked.subpopulation_margin) == (None, None, 0.08)

    @pytest.mark.parametrize("share", [0, 1])
    def test_the_teachers_own_accuracy_is_a_share_too(self, share: float) -> None:
        refused(rf"quality\.teacher_accuracy is {share}: ", quality={"teacher_accuracy": share})
        assert quality(teacher_accuracy=0.9).teacher_accuracy == 0.9


class TestMetrics:
    @pytest.mark.parametrize(
        "name",
        [
            "macro_f1",
            "log_loss",
            "ndcg@10",
            "precision@0.8",
            "rouge_l",
            "f1:spam",
            "precision@0.5:größer als 5",
            "my_package.metrics:cost",
            "Scores:Weighted",
        ],
    )
    def test_are_named_by_the_catalogue_or_as_a_function(self, name: str) -> None:
        (metric,) = quality(metrics=[{"metric": name, "margin": 0.02}]).metrics
        assert metric == MetricBar(metric=name, margin=0.02, subpopulations=False, required=True)

    @pytest.mark.parametrize(
        "name", ["", " ", "Macro F1", "macro f1", "MacroF1", "_f1", "1f", "a/b.py:f", "f1:", "M:f()", "π"]
    )
    def test_with_a_name_that_can_be_none_are_refused(self, name: str) -> None:
        refused(
            r"quality\.metrics\.0\.metric is .*: give a metric by name, e\.g\. macro_f1, or your own as package",
            quality={"metrics": [{"metric": name, "margin": 0.02}]},
        )

    def test_named_twice_are_refused(self) -> None:
        twice = [{"metric": "macro_f1", "margin": 0.02}, {"metric": "auc", "margin": 0.1}]
        refused(
            r"quality\.metrics: macro_f1 stands there twice; name each metric once",
            quality={"metrics": [*twice, {"metric": "macro_f1", "margin": 0.05}]},
        )

    @pytest.mark.parametrize("margin", [0, -0.02], ids=repr)
    def test_without_a_margin_above_0_are_refused_in_their_own_unit(self, margin: float) -> None:
        refused(
            rf"quality\.metrics\.0\.margin is {margin}: .*greater than 0; give what may be lost of the metric, in its",
            quality={"metrics": [{"metric": "bleu", "margin": margin}]},
        )

    def test_may_lose_more_than_1_of_what_is_no_share(self) -> None:
        assert quality(metrics=[{"metric": "bleu", "margin": 2.5}]).metrics[0].margin == 2.5

    @pytest.mark.parametrize(
        ("metric", "message"),
        [
            ({"metric": "auc"}, r"\.margin is missing; add it"),
            ({"margin": 0.1}, r"\.metric is missing; add it"),
            ({"metric": "auc", "margin": float("inf")}, r"\.margin is inf: .*finite"),
            ({"metric": "auc", "margin": True}, r": margin is yes or no where a number belongs"),
            ({"metric": "auc", "margin": 0.1, "subpopulation": True}, r": unknown key 'subpopulation'; did you mean "),
            ("auc", r" is 'auc': "),
        ],
        ids=repr,
    )
    def test_that_are_incomplete_are_refused(self, metric: Any, message: str) -> None:
        refused(rf"quality\.metrics\.0{message}", quality={"metrics": [metric]})


class TestLooks:
    def test_are_spent_as_pocock_unless_stated(self) -> None:
        assert bar(looks={"planned": 3}).looks == Looks(planned=3, spending="pocock")
        assert bar(looks={"planned": 1, "spending": "obrien_fleming"}).looks == Looks(
            planned=1, spending="obrien_fleming"
        )

    @pytest.mark.parametrize(
        ("looks", "message"),
        [
            ({"planned": 0}, r"looks\.planned is 0: .*greater than or equal to 1"),
            ({"planned": 101}, r"looks\.planned is 101: .*less than or equal to 100"),
            ({"planned": 2.5}, r"looks\.planned is 2\.5: .*integer"),
            ({"spending": "pocock"}, r"looks\.planned is missing; add it"),
            (
                {"planned": 3, "spending": "bonferroni"},
                r"looks\.spending is 'bonferroni': .*'obrien_fleming' or 'pocock'",
            ),
            (3, r"looks is 3: "),
        ],
        ids=repr,
    )
    def test_that_plan_nothing_are_refused(self, looks: Any, message: str) -> None:
        refused(message, looks=looks)


@pytest.mark.parametrize("confidence", [0.79, 0, 95], ids=repr)
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    refused(rf"confidence is {confidence}: ", confidence=confidence)
