"""Trainings as tasks of a Ray cluster, several at once; a task whose node is killed is done again on another.

Nothing is assumed to be shared: a task gets its folders and rows from Ray's object store and gives the bytes of its
artefacts back. Where the run folder is seen on the node all the same, checkpoints go there, and a training that is
done again goes on from the last of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from evalkit.errors import EvalkitError, StageError
from evalkit.spec.executor import RayCluster
from evalkit.workflow.spreading.packing import packed, unpack
from evalkit.workflow.spreading.ray_cluster import computing_packages, first_sentence, joined, refuse_other_packages
from evalkit.workflow.training import How, Material, Training, train_into

MADE = "made.tar"
"""Among the checkpoints of a training that is done and not yet a stage: a killed gate does not train it again."""
RETRIES = 3
"""So often a training is begun again because its node or its process died."""
POLL_S = 1.0

Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a task is to train, with how many threads, and where checkpoints go."""

    how: How
    threads: int
    packages: Mapping[str, str]
    checkpoints: Path
    seen: str
    """A file that the sender wrote among the checkpoints: a node that finds it shares the run folder."""


@dataclass(kw_only=True)
class Started:
    """Trainings under way; ``made`` and ``failed`` by the folder of their checkpoints."""

    ray: ModuleType
    running: dict[Any, Training]
    total: int
    failed: dict[Path, Exception]

    def put_into(self, checkpoints: Path, on_progress: Report, folder: Path) -> None:
        """Waits for one training and writes its artefacts. Raises what it raised, as a local one would, and StageError
        where it was lost with its node too often."""
        made = checkpoints / MADE
        while not made.is_file() and checkpoints not in self.failed:
            self._keep_finished()
            done = self.total - len(self.running)
            on_progress(done / self.total, f"{done} of {self.total} trainings done on the cluster")
        if checkpoints in self.failed:
            raise self.failed[checkpoints]
        unpack(made.read_bytes(), folder)

    def _keep_finished(self) -> None:
        """Whatever training ends first is kept at once, whichever is waited for."""
        finished, _ = self.ray.wait(list(self.running), num_returns=1, timeout=POLL_S)
        for task in finished:
            training = self.running.pop(task)
            result = _result(self.ray, task, training.name)
            if isinstance(result, Exception):
                self.failed[training.checkpoints] = result
            else:
                _write_whole(training.checkpoints / MADE, result)


@contextmanager
def spread(cluster: RayCluster, trainings: Sequence[Training]) -> Iterator[Started]:
    """Starts each training that is not done, as soon as the cluster has room for it."""
    by_folder = {each.checkpoints: each for each in trainings}
    waiting = [each for folder, each in by_folder.items() if not (folder / MADE).is_file()]
    with joined(cluster) as ray:
        task = ray.remote(num_cpus=cluster.cpus, num_gpus=cluster.gpus, max_retries=RETRIES)(train)
        sent = _Sent(ray)
        running = {
            task.remote(_order(cluster, each), sent.material(each), **sent.folders(each)): each for each in waiting
        }
        try:
            yield Started(ray=ray, running=running, total=len(running), failed={})
        finally:
            for each in running:
                ray.cancel(each, force=True)


def _order(cluster: RayCluster, training: Training) -> Order:
    training.checkpoints.mkdir(parents=True, exist_ok=True)
    seen = f"shared-{uuid.uuid4().hex}"
    (training.checkpoints / seen).touch()
    return Order(
        how=training.how,
        threads=cluster.cpus,
        packages=computing_packages(),
        checkpoints=training.checkpoints,
        seen=seen,
    )


class _Sent:
    """What several trainings read is put into the object store once."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._known: dict[Any, Any] = {}

    def folders(self, training: Training) -> dict[str, Any]:
        return {
            name: None if folder is None else self._once(folder, partial(packed, folder))
            for name, folder in training.folders.items()
        }

    def material(self, training: Training) -> Any:
        """The texts, labels and probabilities; no other column of the table leaves this machine."""
        lessons = training.lessons
        return self._once((lessons.outputs.key, lessons.digest), lambda: _without_columns(training.material()))

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = self._ray.put(make())
        return self._known[key]


def _without_columns(material: Material) -> Material:
    return replace(material, rows=replace(material.rows, table=material.rows.table.iloc[:, :0]))


def train(order: Order, material: Material, **folders: bytes | None) -> bytes | EvalkitError:
    """One training, on a node: the bytes of its artefacts, or why it was refused."""
    import torch

    torch.set_num_threads(order.threads)
    checkpoints = order.checkpoints if (order.checkpoints / order.seen).is_file() else None
    try:
        refuse_other_packages(order.packages)
        with TemporaryDirectory() as scratch:
            read = {
                name: None if archive is None else unpack(archive, Path(scratch) / name)
                for name, archive in folders.items()
            }
            made = Path(scratch) / "made"
            made.mkdir()
            train_into(made, order.how, material, read, _unheard, checkpoints)
            return packed(made)
    except EvalkitError as error:
        return error


def _unheard(share: float, note: str) -> None:
    """Nobody hears how far a single task is."""


def _result(ray: ModuleType, task: Any, name: str) -> bytes | Exception:
    """What a finished task gave; StageError where it was lost, and its own error where it broke."""
    from ray.exceptions import RayError, RayTaskError

    try:
        result: bytes | EvalkitError = ray.get(task)
    except RayTaskError as error:
        cause: Exception = error.cause
        return cause
    except RayError as error:
        return StageError(
            f"training {name} was lost {RETRIES + 1} times with its process or its node ({first_sentence(error)}); see "
            "Ray's logs, and start again: what is finished is kept"
        )
    return result


def _write_whole(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
