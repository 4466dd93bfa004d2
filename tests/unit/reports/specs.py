"""gate.yaml, as whoever asks for the verdict wrote it."""

from __future__ import annotations

from typing import Any

from evalkit.spec.contradictions import refuse_contradictions
from evalkit.spec.gate import GateSpec

PRICE = {"source": "invoice 2024-118", "date": "2025-02-01"}


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
        "discovery": None,
        "seed": 7,
    }
    spec = GateSpec.model_validate({**given, **changed})
    refuse_contradictions(spec)
    return spec


def recorded_spec_of(**changed: Any) -> GateSpec:
    """A spec of recorded predictions at a stated price: no load, no training table."""
    given: dict[str, Any] = {
        "data": {"held_out": "held_out.csv"},
        "teacher": {"recorded": "teacher.csv"},
        "student": {"recorded": "student.csv"},
        "load": None,
        "cost": {
            "teacher": {"usd_per_million_requests": 450.0, **PRICE},
            "student": {"usd_per_million_requests": 61.5, **PRICE},
        },
        "requirements": {},
    }
    return spec_of(**{**given, **changed})
