"""Set-ups that would train without a complaint and teach nothing, or nonsense: refused before the first step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.errors import InvalidComparison, SpecError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.own_module import OwnClassifier
from evalkit.spec.distill import (
    RESPONSE,
    FeatureAttention,
    FeatureHidden,
    Hard,
    Inside,
    Objective,
    RelationMinilm,
    RelationRkd,
    ResponseDkd,
)
from evalkit.students.architecture import encoder_layers
from evalkit.students.lesson import Lesson
from evalkit.students.objectives.relation_minilm import projection_modules
from evalkit.students.own_module import refuse_unoffered

MOST_RKD_ROWS = 512
"""Angles are compared for every three rows of a batch: 512³ of them take half a gibibyte, several times over."""
HIGH_TEMPERATURE, SURE = 4.0, 0.95


def refuse_invalid(
    objectives: Sequence[Objective],
    student: TextClassifier,
    teacher: TextClassifier | None,
    lesson: Lesson,
    batch_rows: int,
) -> None:
    """Raises SpecError or InvalidComparison for the first objective that cannot be meant."""
    columns = lesson.probabilities.shape[1]
    if columns != len(student.labels):
        raise InvalidComparison(
            f"the teacher's outputs have {columns} columns and the student {len(student.labels)} labels; record the "
            "outputs of this teacher"
        )
    if teacher is not None and teacher.labels != student.labels:
        raise InvalidComparison(
            f"the teacher's labels are {', '.join(teacher.labels)} and the student's {', '.join(student.labels)}; "
            "both must have the same labels in the same order"
        )
    for each in objectives:
        _refuse_outputs(each, lesson)
        if isinstance(each, Inside):
            _refuse_inside(each, student, teacher, batch_rows)


def _refuse_outputs(objective: Objective, lesson: Lesson) -> None:
    name = objective.objective
    if isinstance(objective, ResponseDkd) and lesson.probabilities.shape[1] < 3:
        raise SpecError(
            f"student.distill: {name} needs three labels or more: with two, what it adds to response.kl is 0; use "
            "response.kl"
        )
    if isinstance(objective, RESPONSE) and lesson.is_only_answers:
        raise SpecError(
            f"student.distill: {name} needs probabilities, and every recorded teacher output is 0 or 1; use "
            "{objective: answers}"
        )
    if isinstance(objective, Hard) and not (lesson.labels >= 0).any():
        raise SpecError(
            f"student.distill: {name} needs true labels, and no training row has one; use another objective"
        )


def _refuse_inside(
    objective: Inside,
    student: TextClassifier,
    teacher: TextClassifier | None,
    batch_rows: int,
) -> None:
    name = objective.objective
    if teacher is None:
        raise SpecError(
            f"student.distill: {name} reads what happens inside the teacher; give teacher.load a model folder"
        )
    if not same_tokenizer(teacher.tokenizer, student.tokenizer):
        raise SpecError(
            f"student.distill: {name} needs one tokenizer for teacher and student, since it runs both on the same "
            "tokens; use a response objective"
        )
    if isinstance(student.model, OwnClassifier):
        refuse_unoffered(objective, student.model)
    match objective:
        case FeatureHidden() | FeatureAttention():
            layer_pairs(name, objective.layers, student, teacher)
            if isinstance(objective, FeatureAttention):
                _refuse_hidden_attention(name, student, teacher)
        case RelationRkd():
            if batch_rows > MOST_RKD_ROWS:
                raise SpecError(
                    f"student.distill.batch_rows is {batch_rows}; {name} compares every three rows of a batch: give "
                    f"at most {MOST_RKD_ROWS}"
                )
        case RelationMinilm(relation_heads=heads):
            for side, classifier in (("teacher", teacher), ("student", student)):
                _refuse_projections(name, side, classifier.model, heads)


def layer_pairs(
    name: str, layers: Mapping[int, int] | None, student: TextClassifier, teacher: TextClassifier
) -> dict[int, int]:
    """Which of the student's layers learns from which of the teacher's, both from 0.

    Evenly spread where ``layers`` does not say it. Raises SpecError for layers that do not exist.
    """
    mine, its = _layers(name, "student", student), _layers(name, "teacher", teacher)
    if layers is None:
        return {layer: (layer + 1) * its // mine - 1 if its >= mine else layer * its // mine for layer in range(mine)}
    for side, asked, count in (("student", max(layers), mine), ("teacher", max(layers.values()), its)):
        if asked >= count:
            raise SpecError(
                f"student.distill: {name} names layer {asked} of the {side}, which has {count}, counted from 0; give "
                f"at most {count - 1}"
            )
    return dict(layers)


def _layers(name: str, side: str, classifier: TextClassifier) -> int:
    if isinstance(classifier.model, OwnClassifier):
        assert classifier.model.hidden is not None  # refused otherwise
        return classifier.model.hidden.layers
    layers = encoder_layers(classifier.model)
    if layers is None:
        raise SpecError(
            f"student.distill: {name} found no list of layers in the {side}, a {type(classifier.model).__name__}; use "
            "a response objective"
        )
    return len(layers)


def _refuse_hidden_attention(name: str, *classifiers: TextClassifier) -> None:
    for each in classifiers:
        if each.model.config._attn_implementation != "eager":
            raise SpecError(
                f"student.distill: {name} reads attention, which a {type(each.model).__name__} with "
                f"attn_implementation {each.model.config._attn_implementation} does not keep; load it as eager"
            )


def _refuse_projections(name: str, side: str, model: Any, heads: int) -> None:
    modules = projection_modules(model)
    if not modules:
        raise SpecError(
            f"student.distill: {name} found no query, key and value in the last layer of the {side}, a "
            f"{type(model).__name__}; use another objective"
        )
    for module in modules:
        width = int(module.get_parameter("weight").shape[0])
        if width % heads:
            raise SpecError(
                f"student.distill: {name} has relation_heads {heads}, which does not divide the {side}'s width "
                f"{width}; give a number that divides both widths"
            )


def same_tokenizer(first: Any, second: Any) -> bool:
    """Whether two fast tokenizers cut every text into the same numbers; how far they pad and cut off is not asked."""
    return first is second or _rules(first) == _rules(second)


def _rules(tokenizer: Any) -> dict[str, Any]:
    rules: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return {key: value for key, value in rules.items() if key not in ("padding", "truncation")}


def doubts(objectives: Sequence[Objective], lesson: Lesson) -> list[str]:
    """What may be meant and rarely helps, one sentence each."""
    surest = float(np.quantile(lesson.probabilities.max(1), 0.99))
    return [
        f"{each.objective} has temperature {each.temperature:g}, and this teacher is almost never surer than "
        f"{surest:.2f}, as one trained on smoothed labels is: a high temperature then rubs out what is left to learn "
        "(Müller 2019); try 1 or 2"
        for each in objectives
        if isinstance(each, RESPONSE) and each.temperature >= HIGH_TEMPERATURE and surest < SURE
    ]
