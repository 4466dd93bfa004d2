"""`executor: ray` on two real nodes of one machine, one of them killed in the middle: nothing lost, nothing changed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import ray
import torch
import yaml
from ray.cluster_utils import Cluster

from evalkit.data.dataset import training_rows
from evalkit.errors import SpecError, StageError
from evalkit.record.layout import RunFolder
from evalkit.record.stages import StageResult, file_digest
from evalkit.spec.distill import Distill
from evalkit.spec.gate import Columns
from evalkit.spec.loading import load_spec
from evalkit.teachers.outputs import BATCH_TEXTS
from evalkit.workflow.classifying import classify
from evalkit.workflow.gate import Gate, Silence
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.spreading.packing import packed, unpack
from evalkit.workflow.spreading.ray_cluster import computing_packages
from evalkit.workflow.spreading.ray_trainings import Order, train
from evalkit.workflow.teaching import PROBABILITIES, Lessons, teacher_outputs
from evalkit.workflow.training import trained, training_of
from evalkit.workflow.trainings import Wanted, trained_all
from serving.errors import InferenceError
from serving.manifest import read_manifest
from tests.model_folders import POISON, write_tiny_model_folder
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

pytestmark = [
    pytest.mark.long,  # a cluster of two nodes on a machine that may have two cores
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's, of its own settings
]
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
# a dead raylet refuses the connection at once; a busy one has time to answer
SEES_A_DEATH_SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 10_000,
    "health_check_failure_threshold": 4,
}
WORDS = ("good", "bad", "plain", "film", "day", "a", "the", "very", "not", "service", "slow", "quick")
PRICE = {"usd_per_million_requests": 1.0, "source": "price list", "date": "2026-11-01"}
SPEC: dict[str, Any] = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "student": {"distill": {"cut_layers": [0], "batch_rows": 16, "max_length": 32}},
    "cost": {"teacher": PRICE, "student": PRICE},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The head node; each test that needs a second one starts it."""
    arguments = {**NODE, "include_dashboard": False, "_system_config": SEES_A_DEATH_SOON}
    with own_stop():
        started = Cluster(initialize_head=True, head_node_args=arguments)
    yield started
    started.shutdown()


@contextmanager
def own_stop() -> Iterator[None]:
    """Each node that starts in this process takes SIGTERM over, and would let pytest go on without a cluster."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def second(cluster) -> Iterator[Any]:
    with own_stop():
        node = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    yield node
    cluster.remove_node(node, allow_graceful=False)


def kill(node: Any) -> None:
    """kill -9 of the node: its raylet, and the workers that the raylet started."""
    (raylet,) = node.all_processes["raylet"]
    root = psutil.Process(raylet.process.pid)
    for each in [root, *root.children(recursive=True)]:
        each.kill()
    raylet.process.wait(10)  # until somebody does, it is neither there nor gone


def gate_of(folder: Path, name: str, executor: Any) -> Gate:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**SPEC, "executor": executor}))
    return Gate(loaded=load_spec(path), run=RunFolder(folder / f"runs-{name}" / "run"), reporter=Silence())


def over(cluster: Cluster) -> dict[str, Any]:
    return {"ray": {"address": cluster.address}}


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> ServableModel:
    folder = write_tiny_model_folder(tmp_path_factory.mktemp("served") / "model")
    return ServableModel(role="teacher", source="", folder=folder, manifest=read_manifest(folder), parity=None)


def written(rows: int) -> list[str]:
    """Texts of one to twelve words, none of them twice."""
    rng = np.random.default_rng(1)
    return [f"{' '.join(rng.choice(WORDS, rng.integers(1, 12)))} n{at}" for at in range(rows)]


def test_a_node_killed_in_the_middle_of_labelling_loses_no_text_and_changes_no_answer(
    cluster, second, served, tmp_path
):
    texts = written(60 * BATCH_TEXTS)
    here = teacher_outputs(gate_of(tmp_path, "here", "local"), served, texts, lambda done, total: None)
    heard: list[int] = []

    def kill_in_the_middle(done: int, total: int) -> None:
        assert total == len(texts)
        heard.append(done)
        if len(heard) == 15:
            assert len([node for node in ray.nodes() if node["Alive"]]) == 2
            kill(second)

    gate = gate_of(tmp_path, "there", over(cluster))
    there = teacher_outputs(gate, served, texts, kill_in_the_middle)
    assert heard == [BATCH_TEXTS * (at + 1) for at in range(60)], "each text once"
    assert np.array_equal(there, here)
    assert not ray.is_initialized()
    assert wait_for_one_node(cluster)


def wait_for_one_node(cluster: Cluster) -> bool:
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        ends = time.monotonic() + 30
        while len([node for node in ray.nodes() if node["Alive"]]) > 1 and time.monotonic() < ends:
            time.sleep(0.1)
        return len([node for node in ray.nodes() if node["Alive"]]) == 1
    finally:
        ray.shutdown()


def test_labels_that_came_before_evalkit_was_killed_are_not_asked_for_again(cluster, served, tmp_path):
    texts = written(8 * BATCH_TEXTS)
    gate = gate_of(tmp_path, "there", over(cluster))

    def stop(done: int, total: int) -> None:
        if done == 3 * BATCH_TEXTS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher_outputs(gate, served, texts, stop)
    assert not ray.is_initialized()
    asked: list[int] = []
    whole = teacher_outputs(gate, served, texts, lambda done, total: asked.append(total))
    assert set(asked) == {5 * BATCH_TEXTS}
    assert np.array_equal(whole, teacher_outputs(gate_of(tmp_path, "here", "local"), served, texts, lambda *_: None))


def test_a_model_that_does_not_answer_says_on_a_node_what_it_says_here(cluster, served, tmp_path):
    batches = [["good film"], [f"bad {POISON}"]]
    said = []
    for name, executor in (("here", "local"), ("there", over(cluster))):
        with pytest.raises(InferenceError, match="not finite") as refused:
            classify(gate_of(tmp_path, name, executor), served, batches, lambda at, answers: None)
        said.append(str(refused.value))
    assert said[0] == said[1]


@pytest.fixture(scope="module")
def lessons(tmp_path_factory) -> Lessons:
    """Training rows with what a teacher might have said to them."""
    folder = tmp_path_factory.mktemp("lessons")
    table = texts_and_labels(320, seed=1)
    right = np.eye(len(LABELS))[[LABELS.index(label) for label in table["label"]]]
    np.save(folder / PROBABILITIES, (0.7 * right + 0.1).astype(np.float32))
    return lessons_in(folder, table, write_tiny_teacher(folder / "teacher", steps=3))


def lessons_in(folder: Path, table: pd.DataFrame, source: Path) -> Lessons:
    outputs = StageResult(name="outputs", key=folder.name, folder=folder, seconds=0, finished_at="", reused=False)
    return Lessons(rows=training_rows(table, Columns(), LABELS), digest="rows", outputs=outputs, source=source)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What `cpus: 1` gives a task."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SHORT = Distill(cut_layers=(0,), batch_rows=16, max_length=32, epochs=1)


def test_a_training_that_breaks_on_a_node_says_what_it_says_here_and_loses_no_other(cluster, lessons, tmp_path):
    outputs = tmp_path / "nan"
    outputs.mkdir()
    np.save(outputs / PROBABILITIES, np.full((320, 3), np.nan, dtype=np.float32))
    broken = lessons_in(outputs, texts_and_labels(320, seed=1), lessons.source)
    wanted = [
        Wanted(name="whole", lessons=lessons, distill=SHORT, seed=1),
        Wanted(name="broken", lessons=broken, distill=SHORT, seed=1),
    ]
    said = []
    for name, executor in (("here", "local"), ("there", over(cluster))):
        gate = gate_of(tmp_path, name, executor)
        with pytest.raises(StageError, match="training stops at step 1 of 20: loss is nan") as refused:
            trained_all(gate, wanted)
        said.append(str(refused.value))
        assert [each.name for each in gate.done] == ["whole"]
    assert said[0] == said[1]


class Watching(Silence):
    """Hears how far the trainings are, and interrupts where it is told to."""

    def __init__(self, interrupted_when: Callable[[], bool]) -> None:
        self.notes: set[str] = set()
        self._interrupted_when = interrupted_when

    def progress(self, share: float, note: str) -> None:
        self.notes.add(note)
        if self._interrupted_when():
            raise KeyboardInterrupt


def test_a_training_that_was_done_when_evalkit_was_stopped_is_not_done_again(cluster, lessons, tmp_path):
    wanted = [Wanted(name=f"seed-{seed}", lessons=lessons, distill=SHORT, seed=seed) for seed in (1, 2)]
    gate = gate_of(tmp_path, "there", over(cluster))
    stopped = Watching(lambda: bool(list(gate.run.root.glob("checkpoints/*/made.tar"))))
    with pytest.raises(KeyboardInterrupt):
        trained_all(replace(gate, reporter=stopped), wanted)
    assert not ray.is_initialized()
    assert not list(gate.run.root.glob("stages/*/*/stage.json"))
    again = Watching(lambda: False)
    assert len(trained_all(replace(gate, reporter=again), wanted)) == 2
    assert again.notes
    assert all("of 1 trainings" in note for note in again.notes)


def test_a_node_that_does_not_see_the_run_folder_trains_the_same_weights_without_it(lessons, one_thread, tmp_path):
    gate = gate_of(tmp_path, "here", "local")
    training = training_of(gate, lessons, SHORT, 1, "apart")
    order = Order(
        how=training.how,
        threads=1,
        packages=computing_packages(),
        checkpoints=training.checkpoints,
        seen="written-on-another-machine",
    )
    assert lessons.source is not None
    made = train(order, training.material(), teacher_folder=packed(lessons.source), start=None)
    assert isinstance(made, bytes)
    assert not training.checkpoints.exists()
    there, here = unpack(made, tmp_path / "made"), trained(gate, training).folder
    weights = [file_digest(each / "weights" / "model.safetensors") for each in (there, here)]
    assert weights[0] == weights[1]


@pytest.fixture
def head_has_trained(cluster, lessons, tmp_path) -> None:
    """So that of two trainings the head's is ahead: it need not load torch first."""
    trained_all(gate_of(tmp_path, "warm", over(cluster)), [Wanted(name="a", lessons=lessons, distill=SHORT, seed=9)])


def test_a_node_killed_in_the_middle_of_a_training_changes_no_weight(
    cluster, head_has_trained, second, lessons, one_thread, tmp_path
):
    distill = SHORT.model_copy(update={"epochs": 20, "checkpoint_steps": 10})
    wanted = [Wanted(name=f"seed-{seed}", lessons=lessons, distill=distill, seed=seed) for seed in (1, 2)]
    here = trained_all(gate_of(tmp_path, "here", "local"), wanted)
    gate = gate_of(tmp_path, "there", over(cluster))
    killer = threading.Thread(target=kill_when_it_trains, args=(gate.run.root, second))
    killer.start()
    there = trained_all(gate, wanted)
    killer.join()
    weights = [[file_digest(each.folder / "weights" / "model.safetensors") for each in side] for side in (here, there)]
    assert weights[0] == weights[1]
    assert len(set(weights[0])) == 2
    (resumed_at,) = filter(None, (each.read("training.json").get("resumed_at_step") for each in there))
    assert 10 <= resumed_at < 400
    assert [each.name for each in there] == ["seed-1", "seed-2"]
    assert not list((gate.run.root / "checkpoints").iterdir())
    assert all(each.reused for each in trained_all(gate, wanted))


def kill_when_it_trains(run: Path, node: Any) -> None:
    """Waits until both trainings have taken steps: the later one is this node's."""
    began: set[str] = set()
    ends = time.monotonic() + 120
    while len(began) < 2 and time.monotonic() < ends:
        began |= {path.parent.name for path in run.glob("checkpoints/*/step-*.pt")}
        time.sleep(0.005)
    kill(node)


def test_a_training_larger_than_every_node_is_refused_rather_than_waited_for(cluster, lessons, tmp_path):
    gate = gate_of(tmp_path, "there", {"ray": {"address": cluster.address, "cpus": 64}})
    wanted = Wanted(name="wide", lessons=lessons, distill=Distill(cut_layers=(0,)), seed=1)
    with pytest.raises(SpecError, match=r"executor\.ray\.cpus is 64, but the largest node has 1"):
        trained_all(gate, [wanted])


def test_a_cluster_that_is_not_there_is_named_in_one_line(lessons, tmp_path):
    gate = gate_of(tmp_path, "there", {"ray": {"address": "127.0.0.1:1"}})
    wanted = Wanted(name="alone", lessons=lessons, distill=Distill(cut_layers=(0,)), seed=1)
    with pytest.raises(StageError, match=r"Ray at 127\.0\.0\.1:1 was not reached"):
        trained_all(gate, [wanted])
