"""A student that is a torch module of the user's own: built, checked, and what objectives may read of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.errors import SpecError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.own_contract import checked_student
from evalkit.modelling.own_module import OwnClassifier
from evalkit.spec.distill import (
    FeatureAttention,
    FeatureHidden,
    Inside,
    Objective,
    OwnModule,
    RelationMinilm,
    RelationRkd,
)
from evalkit.spec.own_code import OwnCode


def own_module_student(
    module: OwnModule,
    code: OwnCode,
    tokenizer: Any,
    labels: tuple[str, ...],
    objectives: Sequence[Objective],
    *,
    max_length: int,
    seed: int,
) -> TextClassifier:
    """The student before training. Raises SpecError, in one line, where it does not do what it must
    (``evalkit.modelling.own_contract``), or where an objective reads what it does not offer."""
    student = checked_student(
        code,
        module.arguments,
        tokenizer,
        labels,
        seed=seed,
        max_length=max_length,
        hidden_states=any(isinstance(each, FeatureHidden | RelationRkd) for each in objectives),
    )
    for each in objectives:
        if isinstance(each, Inside):
            refuse_unoffered(each, student.model)
    return student


def refuse_unoffered(objective: Inside, model: OwnClassifier) -> None:
    """Raises SpecError where ``objective`` reads what a module of the user's own does not offer."""
    name = objective.objective
    if isinstance(objective, FeatureAttention | RelationMinilm):
        raise SpecError(
            f"student.distill: {name} reads the attention of a transformer, which {model.name} does not offer; use a "
            "response objective, feature.hidden or relation.rkd"
        )
    if model.hidden is None:
        raise SpecError(
            f"student.distill: {name} reads hidden states, which {model.name} does not offer; use a response objective"
        )


def hidden_width(model: Any) -> int:
    """Width of a student's hidden states."""
    if isinstance(model, OwnClassifier):
        assert model.hidden is not None  # refused otherwise
        return model.hidden.width
    return int(model.config.hidden_size)
