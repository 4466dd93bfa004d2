"""Students trained: the one that is judged, and others on the same lessons (controls, sizes, seeds, parts of rows)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from evalkit.record.stages import StageResult, is_finished
from evalkit.spec.distill import Distill
from evalkit.spec.executor import RayCluster
from evalkit.workflow.gate import Gate
from evalkit.workflow.teaching import Lessons
from evalkit.workflow.training import VERSION, Training, trained, training_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One training: the stage's name, what it learns from, how, and from which seed."""

    name: str
    lessons: Lessons
    distill: Distill
    seed: int


def trained_all(gate: Gate, wanted: Sequence[Wanted]) -> tuple[StageResult, ...]:
    """Each training as its stage, in the order asked for; at once on a Ray cluster where the spec says so."""
    trainings = [training_of(gate, each.lessons, each.distill, each.seed, each.name) for each in wanted]
    cluster = gate.spec.executor.ray
    if cluster is None:
        return tuple(trained(gate, each) for each in trainings)
    return _trained_over_ray(gate, cluster, trainings)


def _trained_over_ray(gate: Gate, cluster: RayCluster, trainings: Sequence[Training]) -> tuple[StageResult, ...]:
    missing = [each for each in trainings if not is_finished(gate.run, each.name, VERSION, each.stated)]
    if not missing:
        return tuple(trained(gate, each) for each in trainings)
    from evalkit.workflow.spreading.ray_trainings import spread

    with spread(cluster, missing) as started:
        return tuple(
            trained(gate, each, elsewhere=partial(started.put_into, each.checkpoints, gate.reporter.progress))
            for each in trainings
        )
