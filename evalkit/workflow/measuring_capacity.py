"""Where the spec asks for it: the highest rate at which each model keeps the limit on p99, for the cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.cost.per_request import level_of_parts
from evalkit.record.hardware import hardware
from evalkit.record.stages import FINISHED
from evalkit.spec.gate import CapacitySearch, Load
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.workflow.gate import Gate
from evalkit.workflow.measuring_load import cores
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.served_process import served
from loadtest.capacity.measuring import measuring
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.record import RESULT, SAMPLES, keeping, read_result, write_result
from loadtest.capacity.result import CapacityResult, StoppedBecause
from loadtest.capacity.search import search
from loadtest.capacity.trial import Trial
from loadtest.plan import OpenLoopPlan

VERSION = 1
UNIT = "requests/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one model's search found, and the file that it is written in."""

    role: str
    result: CapacityResult
    evidence: str

    @property
    def rate_rps(self) -> Estimate:
        return self.result.rate

    @property
    def measurement(self) -> Measurement:
        return Measurement(
            name=f"{self.role}_capacity_rps",
            subpopulation=ALL_ROWS,
            unit=UNIT,
            value=self.rate_rps,
            evidence=self.evidence,
        )

    @property
    def figures(self) -> dict[str, float]:
        """What the record's load report keeps beside the rate: the limit, the trials, and the cliff where there is
        one."""
        found, cliff = self.result, self.result.cliff
        plain = {
            "capacity_limit_ms": found.plan.limit_ms,
            "capacity_certified_rps": found.certified_rps,
            "capacity_confidence": found.plan.confidence,
            "capacity_trials": len(found.trials),
            "capacity_seconds": found.seconds,
            "capacity_cliff_below_rps": None if cliff is None else cliff.below_rps,
            "capacity_cliff_above_rps": None if cliff is None else cliff.above_rps,
            "capacity_cliff_p99_below_ms": None if cliff is None else cliff.p99_below_ms,
            "capacity_cliff_p99_above_ms": None if cliff is None else cliff.p99_above_ms,
        }
        return {name: float(value) for name, value in plain.items() if value is not None}


def capacity_of(gate: Gate, model: ServableModel, texts: list[str], expected: list[str]) -> Capacity | None:
    """Serves one model and searches for its capacity; None where the spec does not ask.

    The interval is at the level that a ratio of two such rates needs. A void search is not kept for a later run.
    """
    load = gate.spec.load
    if load is None or load.capacity is None:
        return None
    asked = _plan(gate, load, load.capacity)

    def work(folder: Path) -> None:
        _search(gate, model, load, asked, (texts, expected), folder)

    result = gate.stage(
        f"capacity-{model.role}",
        VERSION,
        {
            "model": model.version,
            "rate_rps": load.rate_rps,
            "timeout_s": load.timeout_s,
            "limit_ms": asked.limit_ms,
            "max_minutes": asked.max_minutes,
            "confidence": asked.confidence,
            "level": asked.level,
            "serve": gate.spec.serve.model_dump(),
            "seed": gate.spec.seed,
            "hardware": hardware(),
            **model.judged_with,
        },
        work,
    )
    found = read_result(result.folder / RESULT)
    if found.stopped_because is StoppedBecause.VOID:
        (result.folder / FINISHED).unlink()
    evidence = str((result.folder / RESULT).relative_to(gate.run.root))
    return Capacity(role=model.role, result=found, evidence=evidence)


def _plan(gate: Gate, load: Load, capacity: CapacitySearch) -> SearchPlan:
    limit_ms = capacity.p99_ms or gate.spec.requirements.latency.p99_ms
    assert limit_ms is not None, "a spec without a limit was refused"
    return SearchPlan(
        limit_ms=limit_ms,
        confidence=gate.confidence,
        level=level_of_parts(gate.level),
        start_rps=load.rate_rps,
        max_minutes=capacity.max_minutes,
        seed=gate.spec.seed,
    )


def _search(
    gate: Gate, model: ServableModel, load: Load, asked: SearchPlan, requests: tuple[list[str], list[str]], folder: Path
) -> None:
    server_core, generator_core = cores(gate.spec.serve.threads)
    spent_s = [0.0]

    def tell(trial: Trial) -> None:
        spent_s[0] += trial.measured.wall_s
        share = min(1.0, spent_s[0] / (60 * asked.max_minutes))
        gate.reporter.progress(share, f"{trial.rate_rps:.4g} requests a second: {trial.side}")

    with served(model.folder, gate.spec.serve, folder / "server.log", server_core) as server:
        plan = OpenLoopPlan(
            url=server.url,
            rate_rps=asked.start_rps,
            duration_s=asked.long_s(asked.start_rps),
            timeout_s=load.timeout_s,
            limit_ms=asked.limit_ms,
        )
        measure = measuring(
            plan,
            *requests,
            folder / SAMPLES,
            core=generator_core,
            server_pid=server.pid,
            batch_dependent_share=model.batch_dependent_share,
        )
        write_result(folder / RESULT, search(asked, measure, keeping(folder, tell)))
