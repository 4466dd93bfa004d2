"""A served model answers texts offline: in this process, or on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evalkit.workflow.gate import Gate
from evalkit.workflow.servable import ServableModel, every_core

if TYPE_CHECKING:
    from serving.engine import Predictions


def classify(
    gate: Gate,
    model: ServableModel,
    batches: Sequence[Sequence[str]],
    on_answers: Callable[[int, Predictions], None],
) -> None:
    """Calls ``on_answers`` with the number of each batch and the answers to it, as they come; a single batch is never
    spread. Raises ServingError where the model cannot be opened or does not answer."""
    provider, cluster = gate.spec.serve.provider, gate.spec.executor.ray
    if cluster is not None and len(batches) > 1:
        from evalkit.workflow.spreading.ray_answers import classify_over_ray

        classify_over_ray(cluster, model, provider, batches, on_answers)
    elif batches:
        from evalkit.packaging.export import open_engine

        engine = open_engine(model.folder, provider, every_core())
        for at, texts in enumerate(batches):
            on_answers(at, engine.classify(texts))
