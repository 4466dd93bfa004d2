"""Before anything is measured: what a spec can answer becomes a plan, what its rules do by chance a self-check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.planning.assumptions import Assumptions
from evalkit.planning.break_even import break_even
from evalkit.planning.candidate import concerns
from evalkit.planning.plan import Plan, planned_claims, put_together, teacher_accuracies
from evalkit.planning.selfcheck import SelfCheck, self_check
from evalkit.spec.loading import LoadedSpec
from evalkit.workflow.check import default_run_folder
from evalkit.workflow.costing import charged, recorded_usage
from evalkit.workflow.earlier_runs import earlier_throughputs
from evalkit.workflow.known import Known

SCHEMA_VERSION = 1


def make_plan(loaded: LoadedSpec, assumptions: Assumptions) -> Plan:
    """What the held-out rows can answer, whether it pays, and what speaks against starting. Opens no model.

    Raises an EvalkitError where a table cannot be read or the question cannot be asked.
    """
    known = Known(loaded=loaded)
    question = known.question(assumptions)
    teacher = teacher_accuracies(question)
    quality = known.spec.requirements.quality
    by_token = charged(known.spec.cost, recorded_usage(loaded), 2 * question.confidence - 1, known.spec.seed)
    payback = break_even(known.spec.cost, earlier_throughputs(known.workspace, known.spec.task.name), by_token)
    found = concerns(
        known.shape,
        teacher[0].value if teacher else None,
        quality.teacher_accuracy,
        quality.subpopulation_margin or quality.overall_margin,
        question.confidence,
        payback,
    )
    return put_together(question, planned_claims(question), teacher, payback, found, known.notes)


def make_self_check(loaded: LoadedSpec, assumptions: Assumptions, simulations: int, seed: int) -> SelfCheck:
    """Simulates the gate on the spec's own rows and bars. Opens no model. Raises as ``make_plan`` does."""
    return self_check(Known(loaded=loaded).question(assumptions), simulations, seed)


def document(loaded: LoadedSpec, found: Plan | SelfCheck) -> dict[str, Any]:
    """The JSON of a plan or a self-check, with the spec that it is about."""
    from pydantic import TypeAdapter

    content = TypeAdapter(type(found)).dump_python(found, mode="json")
    return {"schema_version": SCHEMA_VERSION, "task": loaded.spec.task.name, "spec_digest": loaded.digest, **content}


def plan_path(loaded: LoadedSpec) -> Path:
    """Where the plan is written: beside the run folder that the spec would have."""
    return default_run_folder(loaded).parent / f"plan-{loaded.spec.task.name}-{loaded.digest[:8]}.json"
