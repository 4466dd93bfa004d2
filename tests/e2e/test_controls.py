"""The student against its controls, through the whole gate: a teacher with planted errors, and one without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.tiny_classifiers import LABELS, WORDS, texts_and_labels, write_tiny_teacher

MISREAD = {WORDS[label][0]: LABELS[(at + 1) % 3] for at, label in enumerate(LABELS)}
"""One word of each label that the planted teacher was taught to read as another label's."""
PRICE = {"usd_per_million_requests": 1.0, "source": "price list", "date": "2026-11-01"}
SPEC: dict[str, Any] = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "discovery": None,
    "teacher": {"load": "teacher"},
    "student": {"distill": {"cut_layers": [0], "epochs": 3, "learning_rate": 3e-3, "batch_rows": 16, "max_length": 32}},
    "cost": {"teacher": PRICE, "student": PRICE},
    "requirements": {"cost_reduction": None},
}
BRIEFLY = SPEC | {"student": {"distill": SPEC["student"]["distill"] | {"epochs": 1, "learning_rate": 1e-3}}}
"""Too little to learn labels that are wrong by chance."""
SEEDS = 3


def misread(table: pd.DataFrame) -> pd.DataFrame:
    """The labels as somebody would give them who misreads a word of each."""
    wrong = [next((MISREAD[word] for word in text.split() if word in MISREAD), None) for text in table["text"]]
    return table.assign(
        label=[label if other is None else other for label, other in zip(table["label"], wrong, strict=True)]
    )


def tables(folder: Path, noise: float) -> None:
    """Training and held-out tables; a third of the training rows has no label, and ``noise`` of all labels are wrong by
    chance."""
    for name, rows, seed in (("train", 480, 1), ("held_out", 600, 2)):
        table, rng = texts_and_labels(rows, seed), np.random.default_rng(seed)
        spoilt = rng.random(rows) < noise
        table.loc[spoilt, "label"] = rng.choice(LABELS, int(spoilt.sum()))
        if name == "train":
            table.loc[320:, "label"] = None
        table.to_parquet(folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The teacher misreads a word of each label; a finished classifier that does not stands beside, its labels in
    another order."""
    folder = tmp_path_factory.mktemp("planted")
    tables(folder, noise=0.0)
    write_tiny_teacher(folder / "teacher", LABELS[::-1], data=misread(texts_and_labels(2400, seed=7)))
    write_tiny_teacher(folder / "finished", (LABELS[1], LABELS[2], LABELS[0]))
    controls = {"against": ["hard_labels", "teacher_argmax", "tfidf", {"load": "finished"}], "seeds": SEEDS}
    (folder / "gate.yaml").write_text(yaml.safe_dump(SPEC | {"controls": controls}))
    return folder


def record_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "record.json").read_text())
    return found


def copied(record: dict[str, Any]) -> dict[str, Any]:
    (finding,) = (each for each in record["findings"] if each["failure_mode"] == "teacher errors baked in")
    return finding


def test_planted_errors_are_found_to_be_learnt_and_the_recommendation_is_not_to_distil(planted, in_process):
    done = in_process("check", planted / "gate.yaml", "--run", planted / "run")
    assert done.exit_code in (0, 1, 3), done.stderr
    record = record_in(planted)
    finding = copied(record)
    assert finding["fired"], finding["explanation"]
    assert finding["measurement"]["value"]["lower"] > 0.3
    for name in ("hard_labels", "tfidf", "load: finished"):
        gain = line(record, name)["gain"]
        assert gain["upper"] < 0, name
    assert "do not distil: " in record["verdict"]["recommendation"]["reason"] or (
        record["verdict"]["recommendation"]["action"] == "DO NOT DISTIL"
    )
    check_every_figure(planted / "run", record)
    check_budgets(record)
    check_reports(planted / "run")
    check_found_again(planted, in_process, record)


def line(record: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in record["controls"]["controls"] if each["name"] == name)
    return found


def check_every_figure(run: Path, record: dict[str, Any]) -> None:
    """Accuracies and gains are those of controls.parquet, recomputed with pandas alone; each gain is a measurement."""
    table = pd.read_parquet(run / "controls.parquet")
    predictions = pd.read_parquet(run / "predictions.parquet")
    assert (table["row_id"] == predictions["row_id"]).all()
    assert (table["student, seed 1"] == predictions["student"]).mean() > 0.99  # torch here, ONNX there
    measured = {each["name"]: each["value"] for each in record["measurements"]}
    right = table.drop(columns=["row_id", "row_label", "teacher"]).apply(lambda column: column == table["row_label"])

    def accuracy(name: str) -> float:
        columns = [each for each in right if each.split(", seed ")[0] == name]
        assert len(columns) == (SEEDS if name in ("student", "hard_labels", "teacher_argmax") else 1)
        return float(right[columns].to_numpy().mean())

    assert accuracy("hard_labels") > 0.9
    assert accuracy("load: finished") > 0.9  # its labels stand in another order
    for each in record["controls"]["controls"]:
        assert each["accuracy"]["point"] == pytest.approx(accuracy(each["name"]))
        assert each["gain"]["point"] == pytest.approx(accuracy("student") - accuracy(each["name"]))
        assert each["gain"]["level"] == pytest.approx(1 - 0.1 / 4)
        assert measured[f"student_accuracy_gain_over_{each['name']}"] == each["gain"]


def check_budgets(record: dict[str, Any]) -> None:
    """As many steps on the labelled rows as the student takes on all."""
    student = record["controls"]["student"]["budget"]
    assert (student["rows"], student["steps"]) == (480, 90)
    assert [line(record, name)["budget"]["rows"] for name in ("hard_labels", "teacher_argmax", "tfidf")] == [
        320,
        480,
        320,
    ]
    assert {line(record, name)["budget"]["steps"] for name in ("hard_labels", "teacher_argmax")} == {90}


def check_reports(run: Path) -> None:
    for report in (run / "report.html", run / "report.md"):
        text = " ".join(report.read_text().split())
        assert "What did distilling gain?" in text
        assert "Nothing speaks for distilling" in text
        assert "over rows and 3 seeds" in text


def check_found_again(folder: Path, in_process: Any, record: dict[str, Any]) -> None:
    again = in_process("check", folder / "gate.yaml", "--run", folder / "run")
    assert "done in" not in again.stderr
    assert record_in(folder)["controls"] == record["controls"]
    keys = [each["key"] for each in record["stages"]]
    assert len(set(keys)) == len(keys)


@pytest.mark.slow
def test_labels_that_are_wrong_by_chance_are_not_taken_for_copied_errors(tmp_path, in_process):
    tables(tmp_path, noise=0.25)
    write_tiny_teacher(tmp_path / "teacher")
    spec = BRIEFLY | {"controls": {"against": ["hard_labels"], "seeds": SEEDS}}
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(spec))
    done = in_process("check", tmp_path / "gate.yaml", "--run", tmp_path / "run")
    assert done.exit_code in (0, 1, 3), done.stderr
    finding = copied(record_in(tmp_path))
    assert not finding["fired"], finding["explanation"]
    assert finding["measurement"]["value"]["lower"] < 0 < finding["measurement"]["value"]["upper"] < 0.1
    check_without_controls(tmp_path, in_process)
    check_a_finished_student(tmp_path, in_process)


def check_without_controls(folder: Path, in_process: Any) -> None:
    """The same student, found beside: its report says that the teacher's errors were not looked for, and how to ask."""
    (folder / "gate.yaml").write_text(yaml.safe_dump(BRIEFLY))
    done = in_process("check", folder / "gate.yaml", "--run", folder / "without")
    assert "student-weights: found finished" in done.stderr
    assert "control" not in done.stderr
    record = json.loads((folder / "without" / "record.json").read_text())
    assert record["controls"] is None
    assert not copied(record)["fired"]
    assert "ask for it with `controls: [hard_labels]`" in copied(record)["explanation"]
    assert not (folder / "without" / "controls.parquet").exists()


def check_a_finished_student(folder: Path, in_process: Any) -> None:
    """The weights of that student given finished, held against TF-IDF and against its own served file."""
    (weights,) = folder.glob("without/stages/student-weights/*/weights")
    (served,) = folder.glob("without/stages/student-model/*/model")
    spec = SPEC | {"student": {"load": str(weights)}, "controls": ["tfidf", {"load": str(served)}]}
    (folder / "gate.yaml").write_text(yaml.safe_dump(spec))
    done = in_process("check", folder / "gate.yaml", "--run", folder / "finished")
    assert done.exit_code in (0, 1, 3), done.stderr
    record = json.loads((folder / "finished" / "record.json").read_text())
    table = pd.read_parquet(folder / "finished" / "controls.parquet")
    predictions = pd.read_parquet(folder / "finished" / "predictions.parquet")
    assert (table["student"] == predictions["student"]).all()
    assert (table[f"load: {served}"] == table["student"]).all()
    same = line(record, f"load: {served}")["gain"]
    assert same["point"] == 0.0
    assert same["upper"] == -same["lower"] == pytest.approx(1 - 0.025 ** (1 / 600))
    gain = (table["student"] == table["row_label"]).mean() - (table["tfidf"] == table["row_label"]).mean()
    assert line(record, "tfidf")["gain"]["point"] == pytest.approx(gain)
    assert not any(each["failure_mode"] == "teacher errors baked in" for each in record["findings"])


def test_controls_that_cannot_be_asked_are_refused_before_anything_is_trained(tmp_path, in_process):
    tables(tmp_path, noise=0.0)
    write_tiny_teacher(tmp_path / "teacher", steps=2)
    write_tiny_teacher(tmp_path / "two", ("negative", "positive"), steps=1, data=only_two(texts_and_labels(32, seed=3)))
    for controls, message in (
        ([{"load": "two"}], "has the labels negative, positive and task.labels is negative, neutral, positive"),
        ([{"load": "nowhere"}], "nowhere is not a folder"),
        ([{"load": "./teacher/"}], "teacher is the teacher itself; give another classifier"),
    ):
        (tmp_path / "gate.yaml").write_text(yaml.safe_dump(SPEC | {"controls": controls}))
        refused = in_process("check", tmp_path / "gate.yaml", "--run", tmp_path / f"run-{len(message)}")
        assert refused.exit_code == 2
        assert message in refused.stderr
        assert "student-weights" not in refused.stderr
    pd.read_parquet(tmp_path / "train.parquet").assign(label=None).to_parquet(tmp_path / "train.parquet")
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(SPEC | {"controls": ["hard_labels"]}))
    refused = in_process("check", tmp_path / "gate.yaml", "--run", tmp_path / "run-unlabelled")
    assert refused.exit_code == 2
    assert "controls: hard_labels learns from true labels, and data.train has 0 rows with one" in refused.stderr


def only_two(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["label"] != "neutral"]
