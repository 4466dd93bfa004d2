"""Where teacher and student come from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from evalkit.spec.section import Section, Stated

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Teacher(Section):
    """The model to be replaced."""

    load: Stated | None = None
    """A Hugging Face model folder (safetensors) or a served model folder (manifest.json, model.onnx)."""
    recorded: Stated | None = None
    """A table of the teacher's recorded predictions for the held-out rows."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return self._exactly_one("load", "recorded")


class Encoder(Section):
    """A small encoder from scratch, with the teacher's tokenizer."""

    layers: Annotated[int, Field(ge=1, le=48)] = 2
    width: Annotated[int, Field(ge=8, le=4096)] = 128
    heads: Annotated[int, Field(ge=1, le=64)] = 2

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class Distill(Section):
    """Response-based distillation: soft_weight · T² · KL(teacher ‖ student) + hard_weight · cross-entropy."""

    cut_layers: tuple[int, ...] | None = None
    """The student is the teacher with only these encoder layers, e.g. [0, 3]."""
    encoder: Encoder | None = None
    """The student is a small encoder from scratch."""
    train_embeddings: bool = True
    """Whether the token embeddings are trained too. Kept as the teacher's, training is faster; a student from
    scratch has none to keep."""
    temperature: Annotated[float, Field(ge=0.1, le=100)] = 2.0
    soft_weight: Annotated[float, Field(gt=0, le=100)] = 0.9
    hard_weight: Annotated[float, Field(ge=0, le=100)] = 0.1
    epochs: Annotated[int, Field(ge=1, le=1000)] = 5
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 3e-4
    batch_rows: Annotated[int, Field(ge=1, le=65536)] = 32
    max_length: Annotated[int, Field(ge=4, le=8192)] = 64
    """Tokens a text is cut at, in training and in serving."""

    @model_validator(mode="after")
    def _one_architecture(self) -> Self:
        if self.encoder is not None and not self.train_embeddings:
            raise ValueError("train_embeddings is false, but an encoder from scratch has no embeddings to keep")
        return self._exactly_one("cut_layers", "encoder")


class Student(Section):
    """The model that may replace the teacher."""

    distill: Distill | None = None
    load: Stated | None = None
    """A Hugging Face model folder (safetensors) or a served model folder (manifest.json, model.onnx)."""
    recorded: Stated | None = None
    """A table of the student's recorded predictions for the held-out rows."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return self._exactly_one("distill", "load", "recorded")
