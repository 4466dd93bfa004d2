"""A process that has texts answered by `executor: ray` without an address: MODEL_FOLDER SCRATCH → what it saw, as JSON.

It is one of its own, since a Ray that is started here turns the tokens of Ray on for the whole process, which then
neither joins nor starts a node of a cluster without them.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from evalkit.workflow.classifying import classify
from evalkit.workflow.servable import ServableModel
from serving.manifest import read_manifest
from tests.integration.test_ray import gate_of, written


def main(model: Path, scratch: Path) -> dict[str, Any]:
    served = ServableModel(role="teacher", source="", folder=model, manifest=read_manifest(model), parity=None)
    batches = [written(600)[at : at + 200] for at in range(0, 600, 200)]
    during = set[int]()
    said: dict[str, dict[int, Any]] = {"local": {}, "ray": {}}

    def keep(executor: str, at: int, answers: Any) -> None:
        said[executor][at] = answers.probabilities
        during.update(own_raylets())

    for executor in said:
        classify(gate_of(scratch, executor, executor), served, batches, partial(keep, executor))
    return {
        "during": len(during),
        "after": len(own_raylets()),
        "equal": [bool(np.array_equal(said["local"][at], said["ray"][at])) for at in range(3)],
    }


def own_raylets() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True) if each.name() in ("raylet", "gcs_server")}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))  # noqa: T201
