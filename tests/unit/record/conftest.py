"""A whole run record, and scripts that run in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evalkit.data.subpopulations import Infeasible
from evalkit.decision.requirement import requirements_of
from evalkit.decision.verdict import decide
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.quality.discovery.coding import Skipped
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.quality.paired_gap import GAP
from evalkit.record.layout import RunFolder
from evalkit.record.looks import LooksReport
from evalkit.record.run_record import (
    SCHEMA_VERSION,
    Example,
    GroupLine,
    LoadReport,
    ModelSummary,
    RunRecord,
    Signature,
    StageLine,
)
from evalkit.spec.requirements import LatencyBar, Requirements
from evalkit.stats.interval import NotEstimable
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference

SPEC = {"task": {"name": "sentiment"}, "seed": 1}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder that does not exist yet."""
    return RunFolder(tmp_path / "runs" / "one")


@pytest.fixture
def process() -> Callable[..., object]:
    """``with process(script, *arguments) as child``: a Python process that has said "ready"."""

    @contextmanager
    def started(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
                yield child
            finally:
                child.kill()

    return started


@pytest.fixture
def record() -> RunRecord:
    """The record of an inconclusive run: one gap estimated, a latency void, a finding fired."""
    counts = PairedCounts(both=880, student_only=10, teacher_only=20, neither=90)
    gap = Measurement(
        name=GAP,
        subpopulation=ALL_ROWS,
        unit="share of rows",
        value=difference(counts, 0.9),
        evidence="predictions.parquet",
        counts=counts,
    )
    latency = Measurement(
        name="student_p99_ms",
        subpopulation=ALL_ROWS,
        unit="ms",
        value=NotEstimable(reason="void: the generator fell behind", n=0, n_needed=299),
        evidence="load.json",
    )
    finding = Finding(
        failure_mode=FailureMode.DISTRIBUTION_MISMATCH,
        measurement=gap,
        fired=True,
        explanation="held-out texts are unlike production",
        corrective_practice="draw anew",
    )
    bar = Requirements(latency=LatencyBar(p99_ms=50), cost_reduction=None)
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        task={"name": "sentiment", "labels": ["negative", "positive"]},
        verdict=decide(requirements_of(bar, ()), [gap, latency], [finding], 0.95),
        measurements=(gap, latency),
        findings=(finding,),
        groups=(
            GroupLine(
                name="language=fr", n=12, margin=0.05, required=False, merged_into=ALL_ROWS, equality_p=mid_p(counts)
            ),
        ),
        too_small=(Infeasible(name="language=fr", n=12, margin=0.05, rows_needed=52),),
        discovery=DiscoveryResult(
            candidates=(),
            declared=("language=fr",),
            columns=("language",),
            skipped=(Skipped(column="id", reason="nearly every row has its own value"),),
            rows_searched=500,
            rows_confirming=500,
            false_discovery_rate=0.05,
        ),
        looks=LooksReport(number=1, planned=3, spending="pocock", asked_confidence=0.95, confidence=0.977, earlier=()),
        data={"held_out_rows": 1000},
        models=(
            ModelSummary(
                role="teacher",
                source="recorded predictions (t.csv)",
                version="0f3a",
                parameters=None,
                megabytes=None,
                parity=None,
                training={"loss": [0.9, 0.4]},
            ),
        ),
        loads=(
            LoadReport(
                role="student",
                rate_rps=40.0,
                requests=800,
                figures={"p50_ms": 3.5},
                void_reasons=("the generator fell behind",),
                measured_at="2026-11-24T10:00:00Z",
                pinning={"provider": "cpu", "server_core": None},
            ),
        ),
        cost=None,
        cascade=None,
        examples=(
            Example(
                row_id="7",
                text="“schön” 👍",
                label="positive",
                teacher="positive",
                student="negative",
                subpopulation=ALL_ROWS,
            ),
        ),
        stages=(StageLine(name="data", key="ab12", seconds=0.5, finished_at="2026-11-24T10:00:00Z", reused=False),),
        spec=SPEC,
        signature=Signature(
            evalkit_version="0.1.0",
            spec_digest="d1",
            spec_recorded_at="2026-11-24T09:59:00Z",
            decided_at="2026-11-24T10:01:00Z",
            seed=1,
            data_digests={"held_out": "d2"},
            model_versions={"teacher": "0f3a"},
            execution_provider=None,
            hardware={"cores": 2},
            packages={"numpy": "2.1"},
            command="evalkit check gate.yaml",
        ),
    )
