"""What a record says beside its evidence: the models, the data, the machine, the stages, rows to look at."""

from __future__ import annotations

from typing import Any

from evalkit.record.run_record import Example, ModelSummary, Signature, StageLine
from evalkit.spec.gate import GateSpec
from evalkit.stats.paired_counts import PairedCounts


def uses_models(spec: GateSpec) -> bool:
    return spec.teacher.recorded is None and spec.student.recorded is None


def models(spec: GateSpec) -> tuple[ModelSummary, ...]:
    if not uses_models(spec):
        return tuple(
            ModelSummary(
                role=role, source=f"recorded predictions ({role}.csv)", version=version, parameters=None,
                megabytes=None, parity=None, training=None,
            )
            for role, version in (("teacher", "7a1c09be44d2"), ("student", "e01b7d6630fa"))
        )  # fmt: skip
    parity = {"texts": 256, "largest_logit_difference": 4.3e-6, "label_flips": 0, "tolerance": 1e-3}
    training = {"rows": 24000, "unlabelled_rows": 6000, "epochs": 5, "seconds": 412.7, "last_epoch_loss": 0.09132}
    return (
        ModelSummary(
            role="teacher", source="models/teacher", version="7a1c09be44d2", parameters=22_713_216,
            megabytes=90.91, parity=parity, training=None,
        ),
        ModelSummary(
            role="student", source="distilled from the teacher", version="e01b7d6630fa", parameters=1_283_328,
            megabytes=5.21, parity=parity, training=training,
        ),
    )  # fmt: skip


def example(number: int, where: str, text: str | None = None) -> Example:
    return Example(
        row_id=f"row-{number:05d}", text=text or f"the parcel came late again, number {number}", label="negative",
        teacher="negative", student="positive", subpopulation=where,
    )  # fmt: skip


def signature(spec: GateSpec) -> Signature:
    return Signature(
        evalkit_version="0.1.0",
        spec_digest="3f9ac1d4e5b60718293a4b5c6d7e8f90" * 2,
        spec_recorded_at="2025-03-01T08:59:12Z",
        decided_at="2025-03-01T09:40:55Z",
        seed=spec.seed,
        data_digests={"held_out": "b1" * 32, "train": "c2" * 32},
        model_versions={each.role: each.version for each in models(spec)},
        execution_provider="cpu" if spec.load else None,
        hardware={"processor": "AMD EPYC 7B13", "cores": 2, "memory_gib": 15.6, "system": "Linux x86_64"},
        packages={"evalkit-gate": "0.1.0", "numpy": "2.3.5", "scipy": "1.16.3", "onnxruntime": "1.23.2"},
        command="evalkit check gate.yaml",
    )


STAGES = tuple(
    StageLine(name=name, key=f"{number}" * 32, seconds=seconds, finished_at="2025-03-01T09:40:55Z", reused=number < 3)
    for number, (name, seconds) in enumerate(
        [
            ("data", 0.42),
            ("teacher-outputs", 74.0),
            ("student-weights", 3725.0),
            ("predictions", 12.2),
            ("quality", 3.1),
        ]
    )
)


def data_of(spec: GateSpec, whole: PairedCounts) -> dict[str, Any]:
    data: dict[str, Any] = {
        "held_out_rows": whole.n,
        "units": whole.n,
        "rows": whole.n,
        "truncated_texts": {"teacher": 0, "student": 3} if uses_models(spec) else {"teacher": None, "student": None},
    }
    if spec.data.train is not None:
        data["train_rows"] = 24_000
        data["equal_texts"] = {"held_out": whole.n, "repeated": 0, "labelled_otherwise": 0, "apart": 0}
        data["leakage"] = {"leaked": 2, "held_out": whole.n, "share": 2 / whole.n}
    return data
