"""The teacher's and the training stages alone: no judgement, no load, no look at the held-out set's verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import SpecError
from evalkit.modelling.own_folder import is_own_folder
from evalkit.record.layout import RunFolder, claim, locked
from evalkit.spec.loading import LoadedSpec
from evalkit.workflow.before_training import before_training
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.models import student_model
from evalkit.workflow.training import STUDENT_WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """A trained student: its Hugging Face folder, or that of a torch module of the user's own, the ONNX folder that is
    served, and what its training was."""

    weights: Path
    served: Path
    training: dict[str, Any]

    @property
    def kind(self) -> str:
        """What ``weights`` is: hugging_face or module."""
        return "module" if is_own_folder(self.weights) else "hugging_face"


def distil_alone(loaded: LoadedSpec, root: Path, reporter: Reporter) -> Distilled:
    """Trains and packages the student in the run folder ``root``, where the gate finds it again.

    Raises SpecError where the spec says nothing of how a student is distilled, and an EvalkitError where a table, the
    teacher or a stage is not as it must be.
    """
    if loaded.spec.student.distill is None:
        raise SpecError(
            f"{loaded.path.name} has no student.distill, so there is nothing to train; add it, or run evalkit check"
        )
    run = RunFolder(root.resolve())
    with locked(run):
        claim(run, loaded.spec.model_dump(mode="json"), loaded.digest)
        gate = Gate(loaded=loaded, run=run, reporter=reporter)
        inputs, teacher = before_training(gate)
        student = student_model(gate, inputs, teacher)
    weights = next(stage for stage in gate.done if stage.name == STUDENT_WEIGHTS)
    return Distilled(weights=weights.folder / "weights", served=student.folder, training=student.training or {})
