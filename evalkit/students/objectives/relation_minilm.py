"""MiniLMv2: how the tokens of a text relate in queries, keys and values of the last layer; no map, any width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalkit.students.architecture import encoder_layers
from evalkit.students.loss import Batch
from evalkit.students.objectives.teacher_beside import TeacherBeside

NAME = "relation.minilm"
PROJECTIONS = (("query", "key", "value"), ("q_lin", "k_lin", "v_lin"), ("q_proj", "k_proj", "v_proj"), ("q", "k", "v"))
"""What the three are called in BERT, DistilBERT, most later models, and MPNet."""


def relation_loss(student: Tensor, teacher: Tensor, mask: Tensor, relation_heads: int) -> Tensor:
    """Mean over tokens and relation heads of KL(teacher's relation ‖ student's).

    ``student`` [rows, tokens, width] and ``teacher`` [rows, tokens, its width] are the queries (or keys, or values)
    of all heads side by side, cut anew into ``relation_heads``; a token's relation is the softmax over the other
    tokens of its scaled dot products. ``mask`` [rows, tokens] is 0 for padding, which neither relates nor is related
    to. Source: Wang, Bao, Huang, Dong, Wei 2021 (MiniLMv2), equations 3 to 6.
    """
    kept = mask.bool()
    log_p, log_q = (_log_relations(each, kept, relation_heads) for each in (teacher, student))
    pairs = kept[:, None, None, :] & kept[:, None, :, None]
    terms = (log_p.exp() * (log_p - log_q)).where(pairs, 0.0)
    return terms.sum() / (relation_heads * kept.sum())


def _log_relations(vectors: Tensor, kept: Tensor, heads: int) -> Tensor:
    rows, tokens, width = vectors.shape
    cut = vectors.view(rows, tokens, heads, width // heads).transpose(1, 2)
    scores = cut @ cut.transpose(2, 3) / (width // heads) ** 0.5
    lowest = torch.finfo(scores.dtype).min
    return functional.log_softmax(scores.masked_fill(~kept[:, None, None, :], lowest), dim=-1)


class Projections:
    """What the last layer's query, key and value modules gave in the newest forward pass, by forward hooks."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._values: list[Tensor | None] = [None, None, None]
        self._hooks = [module.register_forward_hook(self._keep(at)) for at, module in enumerate(modules)]

    def _keep(self, at: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._values[at] = output

        return hook

    def take(self) -> list[Tensor]:
        """The three [rows, tokens, width], each forward pass's once."""
        values = [each for each in self._values if each is not None]
        assert len(values) == 3, "no forward pass since the last time"
        self._values = [None, None, None]
        return values

    def close(self) -> None:
        """Takes the hooks off the model."""
        for hook in self._hooks:
            hook.remove()


def projection_modules(model: Any) -> tuple[nn.Module, ...]:
    """Query, key and value of the last layer; nothing where the model has no three such modules."""
    layers = encoder_layers(model)
    by_name = {} if layers is None else {name.rpartition(".")[2]: each for name, each in layers[-1].named_modules()}
    for names in PROJECTIONS:
        if all(isinstance(by_name.get(name), nn.Linear) for name in names):
            return tuple(by_name[name] for name in names)
    return ()


class TokenRelations:
    """The sum of ``relation_loss`` over queries, keys and values of the last layer of both models.

    ``close`` takes its hooks off them when training is over.
    """

    asks: frozenset[str] = frozenset()

    def __init__(self, teacher: TeacherBeside, student: Any, *, relation_heads: int, weight: float = 1.0) -> None:
        self.modules = nn.ModuleDict()
        self._beside, self._relation_heads, self._weight = teacher, relation_heads, weight
        self._teacher = Projections(projection_modules(teacher.model))
        self._student = Projections(projection_modules(student))

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        self._beside.outputs(batch)
        mask = batch.inputs["attention_mask"]
        terms = [
            relation_loss(mine.to(its.dtype), its, mask, self._relation_heads)
            for mine, its in zip(self._student.take(), self._teacher.take(), strict=True)
        ]
        return {NAME: self._weight * torch.stack(terms).sum()}

    def close(self) -> None:
        self._teacher.close()
        self._student.close()
