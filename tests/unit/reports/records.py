"""Run records of every kind, decided by the real decision code on real counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from evalkit.cost.per_request import break_even_requests, cost_measurements, level_of_parts, usd_per_million
from evalkit.data.subpopulations import Group, infeasible
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99, requirements_of
from evalkit.decision.verdict import decide
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.hidden_degradation import hidden_degradation
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.record.run_record import (
    SCHEMA_VERSION,
    Example,
    LoadReport,
    ModelSummary,
    RunRecord,
    Signature,
    StageLine,
)
from evalkit.spec.gate import GateSpec
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.proportions import proportion
from evalkit.stats.retention import retention

LEVEL = 0.90
CHANNELS, LENGTHS = ("email", "review", "tweet", "chat"), ("short", "medium", "long")
VOID_REASON = "The generator used 0.981 of a core; at most 0.95 is allowed."
PRICE = {"source": "invoice 2024-118", "date": "2025-02-01"}
HOSTILE = "<script>alert(1)</script> a|b\nsecond line \x1b[31m\u202eevil <img src=http://192.0.2.1/x.png> @everyone"
LONG_WORD = "w" * 500

Cells = Mapping[str, PairedCounts]


def cell(rows: int, *, lost: float, won: float = 0.01, neither: float = 0.05) -> PairedCounts:
    """Counts of ``rows`` rows, of which the student loses and wins these shares against its teacher."""
    b, c, d = round(won * rows), round(lost * rows), round(neither * rows)
    return PairedCounts(both=rows - b - c - d, student_only=b, teacher_only=c, neither=d)


def together(counts: Iterable[PairedCounts]) -> PairedCounts:
    def plus(one: PairedCounts, other: PairedCounts) -> PairedCounts:
        return PairedCounts(
            both=one.both + other.both,
            student_only=one.student_only + other.student_only,
            teacher_only=one.teacher_only + other.teacher_only,
            neither=one.neither + other.neither,
        )

    return reduce(plus, counts)


def crossed(rows: int, *, degraded: str | None = None) -> Cells:
    """Four channels, three lengths and their cross; one channel may have lost an eighth of its rows."""
    cells = {
        (channel, length): cell(rows, lost=0.16 if channel == degraded else 0.015 + 0.004 * number)
        for channel in CHANNELS
        for number, length in enumerate(LENGTHS)
    }
    named = {f"channel={channel}": together(cells[channel, each] for each in LENGTHS) for channel in CHANNELS}
    named |= {f"length={length}": together(cells[each, length] for each in CHANNELS) for length in LENGTHS}
    named |= {f"channel={channel}, length={length}": each for (channel, length), each in cells.items()}
    return named


def spec_of(**changed: Any) -> GateSpec:
    """A spec whose models are served, unless ``changed`` says otherwise."""
    given: dict[str, Any] = {
        "task": {
            "name": "ticket-sentiment",
            "description": "Routes incoming messages by sentiment.",
            "labels": ["negative", "neutral", "positive"],
        },
        "data": {"held_out": "held_out.parquet", "train": "train.parquet", "max_leakage": 0.001},
        "subpopulations": {"by": ["channel", "length", ["channel", "length"]], "small": "inconclusive"},
        "teacher": {"load": "models/teacher"},
        "student": {"distill": {"cut_layers": [0, 3]}},
        "load": {"rate_rps": 40, "duration_s": 60},
        "cost": {
            "teacher": {"usd_per_hour": 0.526, **PRICE},
            "student": {"usd_per_hour": 0.526, **PRICE},
            "monthly_requests": 30_000_000,
            "project_usd": 12_000,
        },
        "requirements": {
            "quality": {"overall_margin": 0.05, "subpopulation_margin": 0.08, "retention": 0.95},
            "latency": {"p50_ms": 10, "p99_ms": 40},
            "speed_up": 3,
        },
        "seed": 7,
    }
    return GateSpec.model_validate({**given, **changed})


def interval(point: float, spread: float, n: int, method: str = "order statistics", level: float = LEVEL) -> Interval:
    return Interval(
        point=point, lower=point * (1 - spread), upper=point * (1 + spread), level=level, n=n, method=method
    )


def of(name: str, value: Estimate, where: str = ALL_ROWS, **more: Any) -> Measurement:
    return Measurement(
        name=name, subpopulation=where, unit=more.pop("unit", "share of rows"), value=value,
        evidence=more.pop("evidence", "predictions.parquet"), **more,
    )  # fmt: skip


def quality(cells: Cells, whole: PairedCounts, kl: Estimate) -> tuple[Measurement, ...]:
    measured = [of(RETENTION, retention(whole, LEVEL), counts=whole, unit="ratio")]
    for name, counts in ((ALL_ROWS, whole), *cells.items()):
        measured += [
            of(GAP, difference(counts, LEVEL), name, counts=counts),
            of("teacher_accuracy", proportion(counts.teacher_right, counts.n, LEVEL), name),
            of("student_accuracy", proportion(counts.student_right, counts.n, LEVEL), name),
        ]
    return (
        *measured,
        of("agreement", proportion(whole.both + whole.neither, whole.n, LEVEL)),
        of("negative_flip_rate", proportion(whole.teacher_only, whole.n, LEVEL)),
        of("positive_flip_rate", proportion(whole.student_only, whole.n, LEVEL)),
        of("teacher_student_kl", kl, unit="nats"),
    )


FIGURES = {
    "teacher": {"p50_ms": 31.42, "p90_ms": 48.71, "p95_ms": 55.13, "p99_ms": 73.86, "saturated_rps": 33.47},
    "student": {"p50_ms": 4.123, "p90_ms": 6.027, "p95_ms": 7.318, "p99_ms": 11.94, "saturated_rps": 262.9},
}


def load(role: str, void: tuple[str, ...] = ()) -> LoadReport:
    own = {
        "service_p50_ms": FIGURES[role]["p50_ms"] - 0.2,
        "goodput_rps": 39.9,
        "achieved_ratio": 0.9996,
        "send_lag_p99_ms": 0.412,
        "failed_requests": 0.0,
        "wrong_labels": 0.0,
        "generator_cpu_share": 0.31,
    }
    return LoadReport(
        role=role,
        rate_rps=40.0,
        requests=2391,
        figures=FIGURES[role] | own,
        void_reasons=void,
        measured_at="2025-03-01T09:31:07Z",
        pinning={"provider": "cpu", "server_core": 0, "generator_core": 1},
    )


def speed(void: Mapping[str, tuple[str, ...]]) -> tuple[Measurement, ...]:
    def figure(role: str, name: str, spread: float) -> Estimate:
        reasons = void.get(role)
        if reasons:
            return NotEstimable(reason=f"void: {' '.join(reasons)}", n=0)
        level = level_of_parts(LEVEL) if name == "saturated_rps" else LEVEL
        return interval(FIGURES[role][name], spread, 2391, level=level)

    p50 = {role: figure(role, "p50_ms", 0.02) for role in FIGURES}
    missing = [each for each in p50.values() if isinstance(each, NotEstimable)]
    ratio: Estimate = missing[0] if missing else interval(7.62, 0.03, 2391, "bootstrap")
    names = ((STUDENT_P50, "student", "p50_ms"), (STUDENT_P99, "student", "p99_ms"))
    names += (("teacher_p50_ms", "teacher", "p50_ms"), ("teacher_p99_ms", "teacher", "p99_ms"))
    latencies = [of(name, figure(role, which, 0.04), unit="ms") for name, role, which in names]
    rates = [
        of(f"{role}_saturated_rps", figure(role, "saturated_rps", 0.015), unit="requests/s")
        for role in ("student", "teacher")
    ]
    return (*latencies, *rates, of(SPEED_UP, ratio, unit="ratio"))


def priced(spec: GateSpec, measured: tuple[Measurement, ...]) -> tuple[tuple[Measurement, ...], dict[str, Any] | None]:
    if spec.cost is None:
        return (), None
    rates = {each.name: each.value for each in measured}
    teacher = usd_per_million(spec.cost.teacher, rates.get("teacher_saturated_rps"))
    student = usd_per_million(spec.cost.student, rates.get("student_saturated_rps"))
    stated = spec.cost.model_dump(mode="json")
    stated["break_even_requests"] = break_even_requests(spec.cost, teacher, student)
    if spec.cost.monthly_requests is not None:
        both = (("teacher", teacher), ("student", student))
        stated["monthly_usd"] = {
            role: each.point * spec.cost.monthly_requests / 1e6 for role, each in both if isinstance(each, Interval)
        }
    return cost_measurements(teacher, student), stated


def mismatch(value: Estimate) -> Finding:
    fired = isinstance(value, Interval) and value.lower > 0.55
    return Finding(
        failure_mode=FailureMode.DISTRIBUTION_MISMATCH,
        measurement=of("held_out_against_production_auc", value, unit="area under the curve"),
        fired=fired,
        explanation=f"AUC {value.point:.2f}" if isinstance(value, Interval) else f"not measured: {value.reason}",
        corrective_practice="draw the held-out set and the training text anew from production inputs",
    )


def models(spec: GateSpec) -> tuple[ModelSummary, ...]:
    if not spec.uses_models:
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


def record_of(
    spec: GateSpec,
    cells: Cells,
    whole: PairedCounts,
    *,
    void: Mapping[str, tuple[str, ...]] | None = None,
    kl: Estimate | None = None,
    auc: Estimate | None = None,
    examples: tuple[Example, ...] = (),
) -> RunRecord:
    """A record whose checks are those of the real decision code."""
    bar = spec.requirements
    groups = tuple(
        Group(name=name, rows=np.arange(each.n), margin=bar.quality.subpopulation_margin, required=True)
        for name, each in cells.items()
    )
    measured = quality(cells, whole, kl or interval(0.0871, 0.06, whole.n, "Student t"))
    found = [hidden_degradation(measured, groups, bar.quality.overall_margin, bar.confidence)]
    found.append(mismatch(auc or interval(0.512, 0.02, 4000, "out-of-fold AUC")))
    findings = tuple(each for each in found if each is not None)
    if spec.load:
        measured += speed(void or {})
    costs, stated = priced(spec, measured)
    measured += costs
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        task=spec.task.model_dump(mode="json"),
        verdict=decide(requirements_of(bar, groups), measured, findings, bar.confidence),
        measurements=measured,
        findings=findings,
        too_small=infeasible(groups, bar.confidence),
        data=_data(spec, groups, whole),
        models=models(spec),
        loads=tuple(load(role, (void or {}).get(role, ())) for role in ("student", "teacher")) if spec.load else (),
        cost=stated,
        examples=examples,
        stages=STAGES,
        spec=spec.model_dump(mode="json"),
        signature=signature(spec),
    )


def _data(spec: GateSpec, groups: tuple[Group, ...], whole: PairedCounts) -> dict[str, Any]:
    data: dict[str, Any] = {
        "held_out_rows": whole.n,
        "rows": whole.n,
        "groups": [{"name": each.name, "n": each.n, "margin": each.margin, "required": True} for each in groups],
        "truncated_texts": {"teacher": 0, "student": 3} if spec.uses_models else {"teacher": 0, "student": 0},
    }
    if spec.data.train is not None:
        data["train_rows"] = 24_000
        data["leakage"] = {"leaked": 2, "held_out": whole.n, "share": 2 / whole.n}
    return data


def whole_of(cells: Cells) -> PairedCounts:
    return together(each for name, each in cells.items() if name.startswith("channel=") and "," not in name)


def go() -> RunRecord:
    """Everything required is shown."""
    cells = crossed(900)
    return record_of(spec_of(), cells, whole_of(cells))


def no_go() -> RunRecord:
    """The aggregate passes and one channel does not."""
    cells = crossed(900, degraded="tweet")
    lost = tuple(example(number, "channel=tweet, length=long") for number in range(8))
    bar = {"quality": {"overall_margin": 0.06, "retention": 0.93}, "latency": {"p50_ms": 10, "p99_ms": 3.5}}
    return record_of(spec_of(requirements=bar), cells, whole_of(cells), examples=lost)


def inconclusive() -> RunRecord:
    """Recorded predictions of few rows: no probabilities, no load, no training table, a tiny group."""
    cells = {**crossed(70), "channel=fax": cell(12, lost=0.0, won=0.0)}
    spec = spec_of(
        data={"held_out": "held_out.csv"},
        teacher={"recorded": "teacher.csv"},
        student={"recorded": "student.csv"},
        load=None,
        cost={
            "teacher": {"usd_per_million_requests": 450.0, **PRICE},
            "student": {"usd_per_million_requests": 61.5, **PRICE},
        },
        requirements={"quality": {"overall_margin": 0.02, "subpopulation_margin": 0.05, "retention": 0.98}},
    )
    return record_of(
        spec,
        cells,
        together([whole_of(crossed(70)), cells["channel=fax"]]),
        kl=NotEstimable(reason="no probabilities of the teacher and student are recorded", n=0),
        auc=NotEstimable(reason="120 texts on the smaller side; 200 are needed", n=120, n_needed=200),
    )


def void() -> RunRecord:
    """Quality passes; both load measurements are void."""
    cells = crossed(900)
    return record_of(spec_of(), cells, whole_of(cells), void=dict.fromkeys(("student", "teacher"), (VOID_REASON,)))


def hostile() -> RunRecord:
    """Whoever wrote the texts, the groups and the sources means ill."""
    cells = {
        f"channel={HOSTILE}": cell(400, lost=0.2),
        f"channel={LONG_WORD}": cell(400, lost=0.01),
        "channel=**bold** [x](http://192.0.2.1) `code`": cell(400, lost=0.08),
    }
    spec = spec_of(
        task={"name": "hostile", "description": HOSTILE, "labels": ["<b>", "|"]},
        cost={
            "teacher": {"usd_per_hour": 0.5, "source": HOSTILE, "date": "2025-02-01"},
            "student": {"usd_per_hour": 0.5, "source": LONG_WORD, "date": "2025-02-01"},
        },
    )
    lost = (example(1, f"channel={HOSTILE}", HOSTILE), example(2, f"channel={HOSTILE}", LONG_WORD))
    return record_of(spec, cells, together(cells.values()), examples=lost)


def many_groups(number: int = 1000) -> RunRecord:
    """As many groups as a spec may have."""
    cells = {f"customer=number-{each:04d}": cell(60, lost=0.5 if each % 4 == 0 else 0.0) for each in range(number)}
    return record_of(spec_of(), cells, together(cells.values()))


def nothing_required() -> RunRecord:
    """The spec asked for nothing of one watched group only."""
    record = go()
    verdict = decide((), record.measurements, record.findings, 0.95)
    return dataclasses.replace(record, verdict=verdict)


def shown(text: str) -> str:
    """A user's text as a reader sees it: on one line, with steering characters replaced."""
    return " ".join(text.split()).replace("\x1b", "�").replace("\u202e", "�")
