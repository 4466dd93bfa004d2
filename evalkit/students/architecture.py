"""Students by architecture: layers cut from the teacher, or a small encoder from scratch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

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
    path = _layer_path(model.base_model)
    if path is None:
        raise SpecError(
            f"student.distill.cut_layers: no list of layers found in a {type(model.base_model).__name__}; "
            "use student.distill.encoder instead"
        )
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
    teacher: TextClassifier,
    *,
    layers: int,
    width: int,
    heads: int,
    max_length: int,
    seed: int,
    embeddings: Literal["fresh", "pca"] = "fresh",
) -> TextClassifier:
    """A mean-pooled BERT of ``layers`` × ``width`` with the teacher's tokenizer and fresh weights.

    With ``embeddings`` pca the token embeddings start as the teacher's, see ``projected_embeddings``. Where the
    teacher's attention is computed eagerly, so that it can be read, the student's is too.
    """
    student = fresh_encoder(
        teacher.tokenizer,
        teacher.labels,
        layers=layers,
        width=width,
        heads=heads,
        max_length=max_length,
        seed=seed,
        attention="eager" if teacher.model.config._attn_implementation == "eager" else None,
    )
    if embeddings == "pca":
        _start_embeddings(student.model, teacher)
    return student


def fresh_encoder(
    tokenizer: Any,
    labels: tuple[str, ...],
    *,
    layers: int,
    width: int,
    heads: int,
    max_length: int,
    seed: int,
    attention: str | None = None,
) -> TextClassifier:
    """A mean-pooled BERT of ``layers`` × ``width`` for this tokenizer, with fresh weights."""
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=max(max_length, 64),
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        attn_implementation=attention,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MeanPooledClassifier(config)
    return TextClassifier(model=model, tokenizer=tokenizer, labels=labels)


def encoder_layers(model: Any) -> nn.ModuleList | None:
    """The list of a model's encoder layers; None where it has none under a known name."""
    path = _layer_path(model.base_model)
    return None if path is None else model.base_model.get_submodule(path)


def projected_embeddings(vectors: Tensor, width: int) -> Tensor:
    """Token vectors [tokens, teacher's width] on their first ``width`` principal components [tokens, width].

    Centred, and otherwise unscaled: distances are kept as well as ``width`` numbers can. Raises SpecError where the
    teacher is narrower.
    """
    if width > vectors.shape[1]:
        raise SpecError(
            f"student.distill.encoder is {width} wide and its teacher {vectors.shape[1]}: embeddings cannot be "
            "projected on more components than there are; give a narrower encoder, or embeddings: fresh"
        )
    centred = (vectors - vectors.mean(0)).double()
    _, directions = torch.linalg.eigh(centred.T @ centred)
    projected: Tensor = centred @ directions.flip(1)[:, :width]
    return projected.to(vectors.dtype)


def _start_embeddings(model: Any, teacher: TextClassifier) -> None:
    """Sets the student's token embeddings to the teacher's, projected; padding stays 0."""
    own, its = model.get_input_embeddings().weight, teacher.model.get_input_embeddings().weight
    if len(its) < len(own):
        raise SpecError(
            f"the teacher embeds {len(its):,} tokens and its tokenizer knows {len(own):,}; "
            "give student.distill.encoder embeddings: fresh"
        )
    with torch.no_grad():
        own.copy_(projected_embeddings(its[: len(own)], own.shape[1]))
        if teacher.tokenizer.pad_token_id is not None:
            own[teacher.tokenizer.pad_token_id] = 0


def _layer_path(encoder: Any) -> str | None:
    for path in LAYER_LISTS:
        try:
            if isinstance(encoder.get_submodule(path), nn.ModuleList):
                return path
        except AttributeError:
            continue
    return None
