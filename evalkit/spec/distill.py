"""How a student is made: its shape, what it is to learn from the teacher, and how long it is trained."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from evalkit.spec.section import Section, Stated

LADDER = {"tiny": (2, 128, 2), "mini": (4, 256, 4), "small": (4, 512, 8), "medium": (8, 512, 8)}
"""Layers, width and heads of the named sizes. Source: Turc, Chang, Lee, Toutanova 2019, table 1."""
SINGLE_KEYS = ("temperature", "soft_weight", "hard_weight")

Weight = Annotated[float, Field(gt=0, le=1000)]
Temperature = Annotated[float, Field(ge=0.1, le=100)]
Layer = Annotated[int, Field(ge=0, le=999)]
LayerPairs = Annotated[dict[Layer, Layer], Field(min_length=1)]


class Tokens(Section):
    """Which tokens the student reads."""

    tokenizer: Literal["teacher", "own"] = "teacher"
    """own: byte-level BPE in lower case, trained on the training texts. A teacher behind an API has none to give."""
    vocabulary: Annotated[int, Field(ge=300, le=200_000)] = 8000
    """Tokens that the student's own tokenizer has at most."""

    @model_validator(mode="after")
    def _vocabulary_of_an_own_tokenizer(self) -> Self:
        if self.tokenizer == "teacher" and "vocabulary" in self.model_fields_set:
            raise ValueError("vocabulary is that of tokenizer: own; give it, or remove vocabulary")
        return self


class Encoder(Tokens):
    """A small encoder from scratch."""

    size: Literal["tiny", "mini", "small", "medium"] | None = None
    """tiny: 2 layers of width 128, mini: 4 × 256, small: 4 × 512, medium: 8 × 512, heads of width 64. In the place of
    layers, width and heads."""
    layers: Annotated[int, Field(ge=1, le=48)] = 2
    width: Annotated[int, Field(ge=8, le=4096)] = 128
    heads: Annotated[int, Field(ge=1, le=64)] = 2
    embeddings: Literal["fresh", "pca"] = "fresh"
    """pca: the token embeddings start as the teacher's, projected on their first `width` principal components."""

    @model_validator(mode="after")
    def _a_tokenizer_of_its_own(self) -> Self:
        if self.tokenizer == "own" and self.embeddings == "pca":
            raise ValueError("embeddings pca are the teacher's, and tokenizer own has other tokens; give one of them")
        return self

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        stated = [key for key in ("layers", "width", "heads") if key in self.model_fields_set]
        if self.size is not None and stated:
            raise ValueError(f"size {self.size} says layers, width and heads already; remove {', '.join(stated)}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, width and heads.

        >>> Encoder(size="mini").shape
        (4, 256, 4)
        """
        return (self.layers, self.width, self.heads) if self.size is None else LADDER[self.size]


OwnFunctionName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]


class OwnModule(Tokens):
    """A torch module of your own, made by a function of your own (docs/distillation.md)."""

    function: OwnFunctionName
    """package.module:function, found beside gate.yaml or where Python looks. Called as function(tokenizer, labels,
    **arguments), it returns the module."""
    arguments: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], JsonValue] = Field(default_factory=dict)
    """Passed to the function by name."""

    @field_validator("arguments")
    @classmethod
    def _no_name_twice(cls, arguments: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in ("tokenizer", "labels"):
            if name in arguments:
                raise ValueError(f"arguments names {name}, which is passed already; rename it")
        return arguments


class ResponseKl(Section):
    """soft_weight · T² · KL(teacher ‖ student) + hard_weight · cross-entropy (Hinton 2015)."""

    objective: Literal["response.kl"] = "response.kl"
    weight: Weight = 1.0
    temperature: Temperature = 2.0
    soft_weight: Annotated[float, Field(gt=0, le=100)] = 0.9
    hard_weight: Annotated[float, Field(ge=0, le=100)] = 0.1


class ResponseDkd(Section):
    """T² · (alpha · TCKD + beta · NCKD), for three labels or more (Zhao 2022)."""

    objective: Literal["response.dkd"] = "response.dkd"
    weight: Weight = 1.0
    temperature: Temperature = 4.0
    alpha: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Of the true label against all others; the teacher's answer where a row has no true label."""
    beta: Annotated[float, Field(ge=0, le=1000)] = 8.0
    """Of the others among themselves."""


class FeatureHidden(Section):
    """The student's hidden states, through a linear map each, come close to the teacher's (FitNets 2015, TinyBERT)."""

    objective: Literal["feature.hidden"] = "feature.hidden"
    weight: Weight = 1.0
    layers: LayerPairs | None = None
    """Which layer of the student learns from which of the teacher, counted from 0. Evenly spread when not given, the
    last from the last."""
    distance: Literal["mse", "cosine"] = "mse"


class FeatureAttention(Section):
    """The student's attention maps come close to the teacher's (Zagoruyko, Komodakis 2017)."""

    objective: Literal["feature.attention"] = "feature.attention"
    weight: Weight = 1.0
    layers: LayerPairs | None = None
    """Which layer of the student learns from which of the teacher, counted from 0. Evenly spread when not given, the
    last from the last."""


class RelationRkd(Section):
    """Distances and angles between the texts of a batch come close to the teacher's (Park 2019)."""

    objective: Literal["relation.rkd"] = "relation.rkd"
    weight: Weight = 1.0
    distance_weight: Annotated[float, Field(ge=0, le=1000)] = 25.0
    angle_weight: Annotated[float, Field(ge=0, le=1000)] = 50.0


class RelationMinilm(Section):
    """How the tokens of a text relate in the last layer's queries, keys and values (MiniLMv2, Wang 2021)."""

    objective: Literal["relation.minilm"] = "relation.minilm"
    weight: Weight = 1.0
    relation_heads: Annotated[int, Field(ge=1, le=1024)] = 12
    """Must divide the width of the teacher and that of the student."""


class Hard(Section):
    """Cross-entropy with the true labels; rows without one are left out."""

    objective: Literal["hard"] = "hard"
    weight: Weight = 1.0


class Answers(Section):
    """Cross-entropy with the teacher's answers: all that an API without probabilities gives (Kim, Rush 2016)."""

    objective: Literal["answers"] = "answers"
    weight: Weight = 1.0
    votes: bool = False
    """Whether the recorded outputs count as the shares of votes for each label; otherwise the likeliest is the
    answer."""


Outside = ResponseKl | ResponseDkd | Hard | Answers
"""Of the teacher these read the recorded outputs alone."""
Inside = FeatureHidden | FeatureAttention | RelationRkd | RelationMinilm
"""These read what happens inside the teacher, so that it runs beside its student."""
Objective = Annotated[Outside | Inside, Field(discriminator="objective")]
RESPONSE = (ResponseKl, ResponseDkd)


class Distill(Section):
    """A student trained on the teacher: its shape, its objectives and its schedule."""

    cut_layers: tuple[int, ...] | None = None
    """The student is the teacher with only these encoder layers, e.g. [0, 3]."""
    encoder: Encoder | None = None
    """The student is a small encoder from scratch."""
    start: Stated | None = None
    """The student is a Hugging Face encoder in this folder (safetensors, tokenizer.json), with a new head."""
    module: OwnModule | None = None
    """The student is a torch module of your own."""
    train_embeddings: bool = True
    """Whether the token embeddings are trained too. Kept as the teacher's, training is faster; a student with fresh
    embeddings has none to keep."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] | None = None
    """What the student learns, e.g. [{objective: response.kl}, {objective: feature.hidden, weight: 0.5}]: the sum is
    minimised. One response.kl with the three keys below when not given."""
    temperature: Temperature = 2.0
    soft_weight: Annotated[float, Field(gt=0, le=100)] = 0.9
    hard_weight: Annotated[float, Field(ge=0, le=100)] = 0.1
    epochs: Annotated[int, Field(ge=1, le=1000)] = 5
    steps: Annotated[int, Field(ge=1)] | None = None
    """The most steps of the optimiser, each of batch_rows · accumulate rows: training ends there, within an epoch where
    need be. The epochs alone say it when not given."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 3e-4
    batch_rows: Annotated[int, Field(ge=1, le=65536)] = 32
    max_length: Annotated[int, Field(ge=4, le=8192)] = 64
    """Tokens a text is cut at, in training and in serving."""
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    """Batches whose gradients make one step: the effect of batch_rows · accumulate rows in the memory of batch_rows."""
    held_back: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training texts that is not trained on and says when to stop: the student gets the weights of the
    epoch with the lowest loss on them. 0 trains on all, to the end."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 2
    """Epochs in a row without a lower loss on the held-back texts after which training stops."""
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes on this machine that share every batch: one for each NVIDIA GPU, or all on the CPU. relation.rkd then
    compares the texts of each share. The weights differ a little from those of one process."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 500
    """A checkpoint is written after so many steps and after each epoch; a killed training goes on from the last."""

    @model_validator(mode="after")
    def _every_process_has_rows(self) -> Self:
        if self.processes > self.batch_rows:
            raise ValueError(
                f"processes is {self.processes}, more than batch_rows {self.batch_rows} can be shared among"
            )
        return self

    @model_validator(mode="after")
    def _one_architecture(self) -> Self:
        if self.encoder is not None and self.encoder.embeddings == "fresh" and not self.train_embeddings:
            raise ValueError("train_embeddings is false, but an encoder from scratch has no embeddings to keep")
        if self.module is not None and not self.train_embeddings:
            raise ValueError("train_embeddings is false, but a module of your own says itself what of it is trained")
        return self._exactly_one("cut_layers", "encoder", "start", "module")

    @model_validator(mode="after")
    def _inside_needs_one_tokenizer(self) -> Self:
        inside = [each.objective for each in self.learnt if isinstance(each, Inside)]
        for key, reads in (("encoder", self.encoder), ("module", self.module)):
            if inside and reads is not None and reads.tokenizer == "own":
                raise ValueError(
                    f"{inside[0]} runs teacher and student on the same tokens, and {key}.tokenizer is own; use a "
                    "response objective, or the teacher's tokenizer"
                )
        return self

    @model_validator(mode="after")
    def _one_way_to_say_what_is_learnt(self) -> Self:
        both = [key for key in SINGLE_KEYS if key in self.model_fields_set]
        if self.objectives is not None and both:
            raise ValueError(f"{', '.join(both)} and objectives are both given; move them into an objective")
        return self

    @property
    def step_rows(self) -> int:
        """Rows that one step of the optimiser takes."""
        return self.batch_rows * self.accumulate

    def fills_a_step(self, rows: int) -> bool:
        """Whether so many rows, less those held back, are enough for one step.

        >>> [Distill(cut_layers=(0,), batch_rows=32, held_back=0.5).fills_a_step(rows) for rows in (63, 64)]
        [False, True]
        """
        return rows * (1.0 - self.held_back) >= self.step_rows

    @property
    def learnt(self) -> tuple[Objective, ...]:
        """The objectives; the single response.kl of the three keys where none are given.

        >>> Distill(cut_layers=(0,), temperature=3.0).learnt
        (ResponseKl(objective='response.kl', weight=1.0, temperature=3.0, soft_weight=0.9, hard_weight=0.1),)
        """
        if self.objectives is not None:
            return self.objectives
        return (ResponseKl(temperature=self.temperature, soft_weight=self.soft_weight, hard_weight=self.hard_weight),)
