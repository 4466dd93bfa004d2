"""What the commands that train do first: they refuse what cannot be trained, read the tables, open the teacher."""

from __future__ import annotations

from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs, check_inputs
from evalkit.workflow.models import refuse_same_source, teacher_folder_model
from evalkit.workflow.own_student import try_module
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.spreading.ray_cluster import refuse_missing_ray


def before_training(gate: Gate) -> tuple[Inputs, ServableModel | None]:
    """The checked tables and the teacher's model folder; None where it is behind an API."""
    refuse_missing_ray(gate.spec.executor.ray)
    refuse_same_source(gate)
    inputs, _ = check_inputs(gate)
    try_module(gate, inputs)
    return inputs, teacher_folder_model(gate, inputs)
