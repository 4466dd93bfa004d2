"""A served model answers texts on every node, by Ray Data.

The batches are those of a local run, so that what depends on a batch's composition (dynamic int8) is the same. They
are answered by tasks, not by a pool of actors: a task of a killed node is done on any other, while an actor's waits
until that very actor has room again. Each worker process opens the model once.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError, StageError
from evalkit.spec.executor import RayCluster
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.spreading.packing import packed, unpack
from evalkit.workflow.spreading.ray_cluster import computing_packages, first_sentence, joined, refuse_other_packages
from serving.engine import Engine, Predictions
from serving.errors import ServingError
from serving.provider import Provider

ANSWERS = pa.schema([("batch", pa.int64()), ("answer", pa.binary())])


@dataclass(frozen=True, slots=True, kw_only=True)
class SentModel:
    """A model folder in Ray's object store, and how it is opened. ``packages`` are those of the sender."""

    version: str
    folder: Any = field(compare=False)
    provider: str
    threads: int
    packages: Mapping[str, str] = field(compare=False)


def classify_over_ray(
    cluster: RayCluster,
    model: ServableModel,
    provider: str,
    batches: Sequence[Sequence[str]],
    on_answers: Callable[[int, Predictions], None],
) -> None:
    """Calls ``on_answers`` with the number of each batch and the answers to it, as they come.

    Raises what the model raises locally (ServingError), and StageError where a node's packages differ.
    """
    with joined(cluster) as ray:
        sent = SentModel(
            version=model.version,
            folder=ray.put(packed(model.folder)),
            provider=provider,
            threads=cluster.cpus,
            packages=computing_packages(),
        )
        try:
            with closing(_streamed(cluster, sent, batches)) as streamed:
                for at, answers in streamed:
                    if isinstance(answers, Exception):
                        raise answers
                    on_answers(at, answers)
        except ray.exceptions.RayError as error:
            raise StageError(
                f"texts were lost with a process or a node of the cluster, again and again ({first_sentence(error)}); "
                "see Ray's logs, and start again: what is answered is kept"
            ) from error


def _streamed(
    cluster: RayCluster, sent: SentModel, batches: Sequence[Sequence[str]]
) -> Generator[tuple[int, Predictions | Exception], None, None]:
    from ray import data

    data.DataContext.get_current().enable_progress_bars = False
    tables = [pa.table({"batch": [at], "texts": [list(texts)]}) for at, texts in enumerate(batches)]
    answers = data.from_arrow(tables).map_batches(
        answer,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"model": sent},
        num_cpus=cluster.cpus,
        num_gpus=cluster.gpus,
    )
    with closing(iter(answers.iter_batches(batch_size=None, batch_format="pyarrow"))) as tables_back:
        for table in tables_back:
            for row in table.to_pylist():
                yield row["batch"], pickle.loads(row["answer"])


def answer(batches: pa.Table, model: SentModel) -> pa.Table:
    """``batch`` and ``texts`` [rows] → ``batch`` and ``answer`` [rows]: pickled Predictions, or the error."""
    answers = [
        {"batch": row["batch"], "answer": pickle.dumps(_answered(row["texts"], model))} for row in batches.to_pylist()
    ]
    return pa.Table.from_pylist(answers, schema=ANSWERS)


def _answered(texts: Sequence[str], model: SentModel) -> Predictions | Exception:
    try:
        return _opened(model).classify(texts)
    except (EvalkitError, ServingError) as error:
        return error


@lru_cache(maxsize=1)
def _opened(model: SentModel) -> Engine:
    """The engine of this worker process, which answers one batch after the other."""
    import ray

    refuse_other_packages(model.packages)
    with TemporaryDirectory() as scratch:
        folder = unpack(ray.get(model.folder), Path(scratch))
        return Engine.load(folder, provider=Provider(model.provider), threads=model.threads)
