"""From the spec's objectives to the loss that the training loop minimises."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch

from evalkit.modelling.loading import TextClassifier
from evalkit.spec.distill import (
    Answers,
    FeatureAttention,
    FeatureHidden,
    Hard,
    Inside,
    Objective,
    Outside,
    RelationMinilm,
    RelationRkd,
    ResponseDkd,
    ResponseKl,
)
from evalkit.students.lesson import Lesson
from evalkit.students.loss import ATTENTIONS, HIDDEN_STATES, Loss
from evalkit.students.objectives.answers import TeacherAnswers, single_answers
from evalkit.students.objectives.feature_attention import AttentionMaps
from evalkit.students.objectives.feature_hidden import HiddenStates
from evalkit.students.objectives.hard import TrueLabels
from evalkit.students.objectives.relation_minilm import TokenRelations
from evalkit.students.objectives.relation_rkd import TextRelations
from evalkit.students.objectives.response_dkd import DecoupledTargets
from evalkit.students.objectives.response_kl import SoftTargets
from evalkit.students.objectives.teacher_beside import TeacherBeside
from evalkit.students.objectives.together import Together
from evalkit.students.own_module import hidden_width
from evalkit.students.refusals import layer_pairs

READS = {FeatureHidden: HIDDEN_STATES, RelationRkd: HIDDEN_STATES, FeatureAttention: ATTENTIONS}


def loss_of(
    objectives: Sequence[Objective],
    student: TextClassifier,
    teacher: TextClassifier | None,
    lesson: Lesson,
    seed: int,
    after: ExitStack,
) -> Together:
    """One loss for ``objectives``, which ``refuse_invalid`` has let pass; what hangs on the models is taken off
    ``after`` training."""
    asks = frozenset(READS[type(each)] for each in objectives if type(each) in READS)
    beside = None if teacher is None else TeacherBeside(teacher, asks)
    if teacher is not None:
        after.callback(teacher.model.to, teacher.model.device)
    losses: list[Loss] = []
    for each in objectives:
        if isinstance(each, Inside):
            assert teacher is not None
            assert beside is not None
            losses.append(_inside(each, student, teacher, beside, seed, after))
        else:
            losses.append(_outside(each, lesson))
    return Together(losses)


def _outside(objective: Outside, lesson: Lesson) -> Loss:
    """An objective of the recorded outputs and the true labels."""
    labels = torch.from_numpy(lesson.labels)
    match objective:
        case ResponseKl():
            return SoftTargets(
                log_probabilities=torch.from_numpy(lesson.log_probabilities),
                labels=labels,
                temperature=objective.temperature,
                soft_weight=objective.soft_weight,
                hard_weight=objective.hard_weight,
                weight=objective.weight,
            )
        case ResponseDkd():
            return DecoupledTargets(
                log_probabilities=torch.from_numpy(lesson.log_probabilities),
                labels=labels,
                temperature=objective.temperature,
                alpha=objective.alpha,
                beta=objective.beta,
                weight=objective.weight,
            )
        case Hard():
            return TrueLabels(labels=labels, weight=objective.weight)
        case Answers():
            shares = torch.from_numpy(lesson.probabilities)
            return TeacherAnswers(shares=shares if objective.votes else single_answers(shares), weight=objective.weight)


def _inside(
    objective: Inside,
    student: TextClassifier,
    teacher: TextClassifier,
    beside: TeacherBeside,
    seed: int,
    after: ExitStack,
) -> Loss:
    """An objective of what happens inside the teacher."""
    match objective:
        case FeatureHidden():
            return HiddenStates(
                beside,
                layer_pairs(objective.objective, objective.layers, student, teacher),
                (hidden_width(student.model), hidden_width(teacher.model)),
                distance=objective.distance,
                seed=seed,
                weight=objective.weight,
            )
        case FeatureAttention():
            pairs = layer_pairs(objective.objective, objective.layers, student, teacher)
            return AttentionMaps(beside, pairs, weight=objective.weight)
        case RelationRkd():
            return TextRelations(
                beside,
                distance_weight=objective.distance_weight,
                angle_weight=objective.angle_weight,
                weight=objective.weight,
            )
        case RelationMinilm():
            relations = TokenRelations(
                beside, student.model, relation_heads=objective.relation_heads, weight=objective.weight
            )
            after.callback(relations.close)
            return relations
