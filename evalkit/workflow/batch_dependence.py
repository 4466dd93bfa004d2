"""Before a model is judged: how often its label depends on the texts that share its batch."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from evalkit.data.evenly import evenly
from evalkit.record.layout import write_json
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.reducing import FLIP_TEXTS, where_compared
from evalkit.workflow.servable import ServableModel
from serving.manifest import depends_on_batch

VERSION = 2
BATCHES = "batches.json"


def tried_in_batches(gate: Gate, inputs: Inputs, model: ServableModel | None) -> ServableModel | None:
    """The model with what its batches change, where they may change anything: it is served in batches, and its file
    finds the scales of its activations at every run. Such a model is judged on its answers to each text alone.

    Raises StageError where more labels depend on the batch than serve.most_label_flips allows.
    """
    serve = gate.spec.serve
    if model is None or serve.max_batch_rows == 1 or not depends_on_batch(model.manifest):
        return model
    texts = evenly(tuple(dict.fromkeys(inputs.held_out.texts)), FLIP_TEXTS)

    def work(folder: Path) -> None:
        from evalkit.packaging.batch_dependence import batch_dependence
        from evalkit.packaging.export import open_engine

        gate.reporter.progress(0.0, "each text alone and in a random batch")
        engine = open_engine(model.folder, where_compared(gate), serve.threads)
        rng = np.random.default_rng(gate.spec.seed)
        found = batch_dependence(engine, texts, serve.max_batch_rows, serve.most_label_flips, rng)
        write_json(folder / BATCHES, asdict(found))

    result = gate.stage(
        f"{model.role}-batches",
        VERSION,
        {
            "model": model.version,
            "held_out": inputs.digests["held_out"],
            "text": gate.spec.data.columns.text,
            "batch_rows": serve.max_batch_rows,
            "most_label_flips": serve.most_label_flips,
            "provider": where_compared(gate),
            "seed": gate.spec.seed,
        },
        work,
    )
    return replace(model, batches=result.read(BATCHES))
