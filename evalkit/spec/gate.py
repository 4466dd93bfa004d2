"""gate.yaml as frozen types: the question, asked before anything is measured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from evalkit.spec.controls import Controls
from evalkit.spec.cost import Cost
from evalkit.spec.executor import Executor
from evalkit.spec.model_sources import Student, Teacher
from evalkit.spec.requirements import Requirements
from evalkit.spec.section import Section, Stated
from evalkit.spec.subpopulations import Discovery, Subpopulations

OUTSIDE = "(outside)"
"""Stands in the predictions for an answer that is none of the labels."""


class Task(Section):
    """What the models decide."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Lower-case letters, digits, - and _; names the run folder."""
    kind: Literal["classification", "multilabel", "ranking", "generation"] = "classification"
    """classification: one label a text. multilabel: any number of them, written a|b. ranking: one row an item, with a
    relevance and a query. generation: a text is answered by a text. The last three are judged on recorded
    predictions."""
    labels: tuple[str, ...] = ()
    """Every answer that is allowed: two or more for classification and multilabel, none for ranking and generation."""
    description: str = ""

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if not all(label.strip() for label in labels):
            raise ValueError("a label is empty; name each answer")
        if OUTSIDE in labels:
            raise ValueError(f"{OUTSIDE} stands for answers that are no label; rename this label")
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice; name each label once")
        return labels

    @model_validator(mode="after")
    def _labels_fit_the_kind(self) -> Self:
        if self.kind in ("classification", "multilabel") and len(self.labels) < 2:
            raise ValueError(f"{self.kind} needs labels, two or more; name every answer that is allowed")
        if self.kind in ("ranking", "generation") and self.labels:
            raise ValueError(f"{self.kind} has no labels; leave them out")
        split = [label for label in self.labels if "|" in label]
        if self.kind == "multilabel" and split:
            raise ValueError(f"label {split[0]} holds a |, which separates labels; rename it")
        return self


class Columns(Section):
    """Which column of the tables holds what."""

    id: Stated = "id"
    text: Stated = "text"
    label: Stated = "label"
    cluster: Stated | None = None
    """Rows of one user, document or template belong together. Without one, rows of equal text do; `id` says that every
    row stands for itself."""
    query: Stated | None = None
    """Needed for ranking: items of one query are ranked against each other."""


class Data(Section):
    """Tables as CSV, Parquet or JSONL, by path relative to gate.yaml."""

    held_out: Stated
    train: Stated | None = None
    """Needed for student.distill. Rows without a label are used with the teacher's output alone."""
    production: Stated | None = None
    """A sample of real inputs, to see whether the held-out set resembles them."""
    columns: Columns = Columns()
    max_leakage: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of held-out texts that may also stand in train."""


Precision = Literal["fp32", "fp16", "int8_dynamic", "int8_static"]


class Serve(Section):
    """How both models are exported and served. The gate judges the very file that is served."""

    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    max_batch_rows: Annotated[int, Field(ge=1, le=4096)] = 16
    max_length: Annotated[int, Field(ge=4, le=8192)] = 64
    """Tokens a text is cut at, for models loaded from a Hugging Face folder."""
    parity_tolerance: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Largest difference of any logit between torch and the exported fp32 ONNX file."""
    precision: Precision = "fp32"
    """What the student is served in. int8_static needs data.train; fp16 needs provider cuda. A folder that is ONNX
    already stays what it is unless another precision than fp32 is asked for."""
    teacher_precision: Precision = "fp32"
    """The same for the teacher."""
    fp16_on_cpu: bool = False
    """true serves fp16 without a GPU all the same; there it is slower than fp32."""
    most_label_flips: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Share of labels that a precision below fp32 may flip; refused where its 0.95 interval lies above it."""
    calibration_rows: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Training texts from which int8_static takes the range of its activations."""


class CapacitySearch(Section):
    """A search for the highest rate at which p99 keeps a limit. What it finds is the rate that the cost rests on."""

    p99_ms: Annotated[float, Field(gt=0, le=600_000)] | None = None
    """The limit, the same for teacher and student; requirements.latency.p99_ms where it is not given."""
    max_minutes: Annotated[float, Field(ge=0.5, le=240)] = 5.0
    """For each of the two models."""


class Load(Section):
    """The open-loop load on the served models."""

    rate_rps: Annotated[float, Field(gt=0, le=1e6)]
    """Requests a second in the latency measurement, the same for teacher and student."""
    duration_s: Annotated[float, Field(ge=2, le=86400)] = 20.0
    warmup_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    arrivals: Literal["poisson", "constant"] = "poisson"
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    saturation_clients: Annotated[int, Field(ge=1, le=4096)] = 16
    saturation_s: Annotated[float, Field(ge=2, le=3600)] = 10.0
    """How long each model is driven as fast as it can go, for its throughput."""
    capacity: CapacitySearch | None = None
    """Without it the cost rests on the throughput of saturation_clients, which keeps no limit: a search takes minutes.
    With it, a price's utilisation is the share of the found rate that is used, headroom for peaks."""


class GateSpec(Section):
    """The whole of gate.yaml."""

    task: Task
    data: Data
    subpopulations: Subpopulations = Subpopulations()
    discovery: Discovery | None = Discovery()
    """null turns the search for undeclared subpopulations off."""
    teacher: Teacher
    student: Student
    controls: Controls | None = None
    """What the student is held against in the same run, e.g. [hard_labels, tfidf]: whether distilling gained anything.
    It changes no verdict; where a control is as good, the recommendation says so."""
    serve: Serve = Serve()
    load: Load | None = None
    cost: Cost | None = None
    requirements: Requirements = Requirements()
    executor: Executor = Executor()
    """local, ray, or ray with its settings, e.g. {ray: {address: auto, cpus: 8}} (docs/many-machines.md)."""
    policy: Stated | None = None
    """strict, balanced, exploratory, or a YAML file of your own: requirements, subpopulations and discovery that hold
    where this file does not say otherwise. `evalkit policy balanced` prints one to edit."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
