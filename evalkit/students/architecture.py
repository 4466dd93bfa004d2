"""Students by architecture: layers cut from the teacher, or a small encoder from scratch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from evalkit.errors import SpecError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.mean_pooled import MeanPooledClassifier

LAYER_LISTS = ("encoder.layer", "transformer.layer", "layers")


def cut_from_teacher(teacher: TextClassifier, layers: Sequence[int]) -> TextClassifier:
    """A copy of the teacher that keeps only the encoder layers numbered in ``layers``.

    Embeddings and head are kept too, so that the student starts from what the teacher knows.
    Raises SpecError for layers that the teacher does not have.
    """
    model = copy.deepcopy(teacher.model)
    path = _layer_list(model.base_model)
    kept = model.base_model.get_submodule(path)
    count = len(kept)
    if not layers or list(layers) != sorted(set(layers)) or layers[0] < 0 or layers[-1] >= count:
        raise SpecError(
            f"student.distill.cut_layers is {list(layers)}; give rising layer numbers of the teacher's {count} "
            f"layers, e.g. [0, {count - 1}]"
        )
    parent = model.base_model.get_submodule(path.rpartition(".")[0])
    setattr(parent, path.rpartition(".")[2], nn.ModuleList(kept[index] for index in layers))
    model.config.num_hidden_layers = len(layers)
    return TextClassifier(model=model, tokenizer=teacher.tokenizer, labels=teacher.labels)


def small_encoder(
    teacher: TextClassifier, *, layers: int, width: int, heads: int, max_length: int, seed: int
) -> TextClassifier:
    """A mean-pooled BERT of ``layers`` × ``width`` with the teacher's tokenizer and fresh weights."""
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=len(teacher.tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=max(max_length, 64),
        pad_token_id=teacher.tokenizer.pad_token_id,
        id2label=dict(enumerate(teacher.labels)),
        label2id={label: index for index, label in enumerate(teacher.labels)},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MeanPooledClassifier(config)
    return TextClassifier(model=model, tokenizer=teacher.tokenizer, labels=teacher.labels)


def _layer_list(encoder: Any) -> str:
    for path in LAYER_LISTS:
        try:
            if isinstance(encoder.get_submodule(path), nn.ModuleList):
                return path
        except AttributeError:
            continue
    raise SpecError(
        f"student.distill.cut_layers: no list of layers found in a {type(encoder).__name__}; "
        "use student.distill.encoder instead"
    )
