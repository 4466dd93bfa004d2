"""`evalkit label` against a real OpenAI-compatible server with planned faults: what is asked, kept and refused."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.faulty_api import Api, faulty_api

LABELS = ["no", "yes"]
KEY = "TEACHER_KEY"
TERMS = {"provider": "Acme", "url": "https://acme.example/terms", "read_on": "2026-11-01", "permits_training": "yes"}


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    """Without faults of its own accord."""
    with faulty_api() as api:
        yield api


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(KEY, "secret-key")


def texts(count: int, topic: str = "text") -> list[str]:
    return [f"{topic} number {number}{'!' * (number % 2)}" for number in range(count)]


def answer_to(text: str) -> str:
    return LABELS[len(text) % 2]


def project(folder: Path, base_url: str, *, held_out: list[str], train: list[str] | None = None, **api: Any) -> Path:
    """gate.yaml with an API teacher, and its tables; the student is wrong in the last row alone."""
    ids = [f"r{number}" for number in range(len(held_out))]
    answers = [answer_to(text) for text in held_out]
    pd.DataFrame({"id": ids, "text": held_out, "label": answers}).to_csv(folder / "held_out.csv", index=False)
    wrong = LABELS[answers[-1] == LABELS[0]]
    pd.DataFrame({"id": ids, "prediction": [*answers[:-1], wrong]}).to_csv(folder / "student.csv", index=False)
    data = {"held_out": "held_out.csv"}
    if train is not None:
        pd.DataFrame({"text": train, "label": [None] * len(train)}).to_csv(folder / "train.csv", index=False)
        data["train"] = "train.csv"
    settings = {"base_url": base_url, "model": "planned", "key_env": KEY, "max_tokens": 4, "timeout_s": 1.0, **api}
    spec = {
        "task": {"name": "fixture", "labels": LABELS},
        "data": data,
        "discovery": None,
        "teacher": {"api": settings, "terms": TERMS},
        "student": {"recorded": "student.csv"},
        "requirements": {"quality": {"overall_margin": 0.1, "retention": None}, "cost_reduction": None},
    }
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def changed(gate: Path, **teacher: Any) -> Path:
    spec = yaml.safe_load(gate.read_text())
    spec["teacher"] = {part: {**spec["teacher"][part], **teacher.get(part, {})} for part in ("api", "terms")}
    gate.write_text(yaml.safe_dump(spec))
    return gate


def labelled(in_process, gate: Path) -> dict[str, Any]:
    done = in_process("label", gate, "--json", "--run", gate.parent / "runs" / "one")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def table(gate: Path, part: str) -> pd.DataFrame:
    (path,) = gate.parent.glob(f"runs/one/stages/teacher-{part}/*/answers.parquet")
    return pd.read_parquet(path)


def refused(in_process, gate: Path, code: int = 2) -> str:
    done = in_process("label", gate)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    assert "secret-key" not in done.output
    return done.stderr.strip().splitlines()[-1]


def test_every_text_is_labelled_once_however_often_it_stands_there(in_process, server, tmp_path):
    held_out = texts(140, "once")
    gate = project(tmp_path, server.base_url, held_out=held_out, train=[*texts(30, "train"), *texts(30, "train")])
    before = server.counts()["asked"]
    counts = labelled(in_process, gate)
    assert counts["held_out"]["rows_labelled"] == 140
    assert (
        counts["train"] | {"wanted": 60, "distinct": 30, "sent": 30, "rows": 60, "rows_labelled": 60} == counts["train"]
    )
    assert server.counts()["asked"] - before == 170
    assert table(gate, "held-out")["prediction"].tolist() == [answer_to(text) for text in held_out]


def test_another_bar_asks_nothing_anew(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=texts(140, "kept"))
    labelled(in_process, gate)
    spec = yaml.safe_load(gate.read_text())
    spec["seed"] = 7
    gate.write_text(yaml.safe_dump(spec))
    before = server.counts()["asked"]
    assert in_process("label", gate).exit_code == 0
    assert server.counts()["asked"] == before


def test_answers_outside_the_labels_are_kept_and_counted_and_never_made_into_labels(in_process, server, tmp_path):
    train = [*texts(20, "plain"), "an OUTSIDE text", "an EMPTY text", "an OVERFLOW text"]
    gate = project(tmp_path, server.base_url, held_out=texts(140, "plain held out"), train=train)
    counts = labelled(in_process, gate)["train"]
    assert counts["refused"] == {"longer than the model's context": 1}
    assert (counts["rows_labelled"], counts["rows_outside"], counts["rows_unanswered"], counts["empty"]) == (
        20,
        2,
        1,
        1,
    )
    last = table(gate, "train").tail(3)
    assert last["prediction"].fillna("none").tolist() == ["(outside)", "(outside)", "none"]
    assert last["answer"].fillna("none").tolist() == ["maybe", "", "none"]


def test_a_gate_is_judged_on_the_api_teacher_and_names_its_terms(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=texts(140, "judged"))
    done = in_process("check", gate, "--run", tmp_path / "runs" / "one")
    assert done.exit_code == 0, done.output
    report = (tmp_path / "runs" / "one" / "report.md").read_text()
    assert "Acme, https://acme.example/terms, read 2026-11-01: yes" in report
    assert "planned at http://127.0.0.1" in report


def test_a_gate_counts_held_out_answers_that_are_no_labels_as_wrong(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=[*texts(140, "wrong"), "an OUTSIDE row"])
    done = in_process("check", gate, "--run", tmp_path / "runs" / "one")
    assert done.exit_code == 0, done.output
    predictions = pd.read_parquet(tmp_path / "runs" / "one" / "predictions.parquet")
    assert predictions["teacher"].tolist()[-1] == "(outside)"
    record = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())
    (share,) = [each for each in record["measurements"] if each["name"] == "teacher_answers_outside_labels"]
    assert share["value"]["point"] == pytest.approx(1 / 141)


def test_a_verdict_that_hangs_on_answers_outside_the_labels_never_go(in_process, server, tmp_path):
    """One answer in ten is outside: counted as wrong the student is level, were they right it loses ten points."""
    held_out = [*texts(135, "hanging"), *(f"OUTSIDE row {number}" for number in range(15))]
    gate = project(tmp_path, server.base_url, held_out=held_out)
    student = pd.read_csv(tmp_path / "student.csv")
    wrong = {"no": "yes", "yes": "no"}
    student.loc[135:, "prediction"] = [wrong[answer_to(text)] for text in held_out[135:]]
    student.to_csv(tmp_path / "student.csv", index=False)
    done = in_process("check", gate, "--run", tmp_path / "runs" / "one")
    assert done.exit_code == 3, done.output
    assert "with the teacher right wherever it answered outside the labels" in " ".join(done.stdout.split())
    report = (tmp_path / "runs" / "one" / "report.md").read_text()
    assert "Read those answers, and ask for the labels more clearly." in report
    assert "Answers are labels, teacher | 10.0 (" in report
    assert "which is not shown to keep the margin of 10 points" in report


def test_a_gate_refuses_a_held_out_row_that_was_not_answered(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=[*texts(140, "unanswered"), "an OVERFLOW row"])
    done = in_process("check", gate)
    assert done.exit_code == 2, done.output
    assert "gave 1 of 141 held-out rows no label (first: id r140 was not answered)" in done.stderr


def test_a_gate_refuses_held_out_answers_that_are_no_labels_where_the_spec_says_so(in_process, server, tmp_path):
    held_out = [*texts(140, "refused"), "an OUTSIDE row"]
    gate = project(tmp_path, server.base_url, held_out=held_out, outside="refuse")
    done = in_process("check", gate)
    assert done.exit_code == 2
    assert "gave 1 of 141 held-out rows no label (first: id r140 was answered 'maybe')" in done.stderr


def test_a_dry_run_asks_nothing_and_prints_requests_tokens_and_price(in_process, server, tmp_path):
    prices = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
    gate = project(tmp_path, server.base_url, held_out=["12345678"] * 10, prices=prices)
    before = server.counts()["asked"]
    done = in_process("label", gate, "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)["held_out"]
    assert (made["wanted"], made["requests"], made["most_output_tokens"]) == (10, 1, 4)
    assert made["most_usd"] == pytest.approx((made["most_input_tokens"] + 2 * 4) / 1e6)
    assert "nothing was asked" in in_process("label", gate, "--dry-run").stdout
    assert server.counts()["asked"] == before
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("source", ["top_logprobs", "samples"])
def test_soft_labels_of_training_texts_say_what_is_missing(in_process, server, tmp_path, source):
    soft = {"source": source, "samples": 3, "alpha": 1.0}
    held_out, train = texts(140, f"soft held out {source}"), texts(4, f"soft {source}")
    gate = project(tmp_path, server.base_url, held_out=held_out, train=train, soft=soft)
    labelled(in_process, gate)
    found = table(gate, "train")
    own = [found[f"mass_{answer_to(text)}"][at] for at, text in enumerate(train)]
    if source == "samples":
        assert own == pytest.approx([4 / 5] * 4)  # three votes of three: (3 + 1) / (3 + 2)
        assert (found["votes_outside"] == 0).all()
        assert [server.prompts()[text][0] for text in train] == [3] * 4
    else:
        assert own == pytest.approx([0.7] * 4)
        assert found["mass_missing"].tolist() == pytest.approx([0.1] * 4)


def test_the_budget_stops_before_it_is_exceeded_and_what_was_answered_is_kept(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=texts(140, "budget"), budget={"requests": 100})
    before = server.counts()["asked"]
    assert "teacher.api.budget.requests 100 is used up" in refused(in_process, gate)
    assert server.counts()["asked"] - before == 100
    assert "is used up" in refused(in_process, gate)
    changed(gate, api={"budget": {"requests": 140}})
    assert labelled(in_process, gate)["held_out"]["sent"] == 40


def test_money_is_never_spent_beyond_the_budget(in_process, server, tmp_path):
    prices = {"usd_per_million_input": 1000.0, "usd_per_million_output": 1000.0}
    gate = project(tmp_path, server.base_url, held_out=texts(140, "money"), prices=prices, budget={"usd": 1.0})
    assert "teacher.api.budget.usd 1 would be exceeded" in refused(in_process, gate)
    with sqlite3.connect(tmp_path / "runs" / "teacher_answers.sqlite") as store:
        (spent,) = store.execute("SELECT sum(usd) FROM answers").fetchone()
    store.close()
    assert 0.7 < spent <= 1.0


@pytest.mark.parametrize(
    ("key", "model", "said"),
    [
        ("", "planned", "TEACHER_KEY is empty; put the API's key into this environment variable"),
        ("wrong", "planned", "refuses the key in TEACHER_KEY (401: Incorrect API key provided: ***)"),
        ("forbidden", "planned", "refuses the key in TEACHER_KEY (403: no access)"),
        ("broke", "planned", "the quota of http://127.0.0.1"),
        ("any", "unknown", "does not know model unknown (404: The model `unknown` does not exist)"),
    ],
)
def test_what_asking_again_would_not_mend_stops_at_once_in_one_line(
    in_process, server, tmp_path, monkeypatch, key, model, said
):
    monkeypatch.setenv(KEY, key)
    gate = project(tmp_path, server.base_url, held_out=texts(140, "stop"), model=model)
    before = server.counts()["asked"]
    assert said in refused(in_process, gate)
    assert server.counts()["asked"] == before


def test_a_server_that_is_away_ends_the_run_before_every_text_has_failed(in_process, tmp_path):
    with faulty_api() as gone:
        base_url = gone.base_url
    gate = project(tmp_path, base_url, held_out=texts(140), attempts=1)
    assert "left 16 questions in a row without an answer, 1 attempts each (connection lost)" in refused(
        in_process, gate, code=4
    )


def test_faults_of_every_kind_are_outlived_and_nothing_is_asked_after_its_answer(in_process, tmp_path):
    with faulty_api("--fault-share", 0.3, "--retry-after", 0.1, "--silent-s", 0.4) as server:
        gate = project(tmp_path, server.base_url, held_out=texts(140), timeout_s=0.3, attempts=20, concurrency=64)
        counts = labelled(in_process, gate)["held_out"]
        said = server.counts()
        assert set(said["faults"]) == {"busy", "broken", "silent", "cut", "dropped"}
        assert sum(counts["repeated"].values()) == sum(said["faults"].values()) == said["asked"] - 140
        assert said | {"answered": 140, "texts": 140, "asked_after_success": 0} == said


def test_what_stays_unanswered_is_not_kept_and_is_asked_by_the_next_run(in_process, tmp_path):
    with faulty_api("--fault-share", 0.2, "--retry-after", 0, "--silent-s", 0.3) as server:
        gate = project(tmp_path, server.base_url, held_out=texts(140), timeout_s=0.2, attempts=1, concurrency=32)
        runs = 0
        while in_process("label", gate).exit_code == 4:
            runs += 1
            assert runs < 20
        assert runs > 0
        said = server.counts()
        assert said | {"answered": 140, "texts": 140, "asked_after_success": 0} == said


def start(gate: Path, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "evalkit", "label", str(gate)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ, **options)


def test_killed_by_the_system_and_started_again_it_asks_nothing_that_was_kept(in_process, tmp_path):
    """The server counts: only what was under way at the kill may be asked once more."""
    under_way = 8
    with faulty_api("--fault-share", 0.02, "--latency-ms", 10, "--retry-after", 0.1) as server:
        gate = project(tmp_path, server.base_url, held_out=texts(700), concurrency=under_way)
        for enough in (150, 400):
            process = start(gate)
            deadline = time.monotonic() + 60
            while server.counts()["texts"] < enough and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            assert process.stderr is not None
            process.stderr.close()
        assert 400 <= server.counts()["texts"] < 700
        labelled(in_process, gate)
        said, prompts = server.counts(), server.prompts()
        assert said["texts"] == 700
        assert said["asked_after_success"] <= 2 * under_way
        assert sum(answered > 1 for _, answered in prompts.values()) <= 2 * under_way
    assert table(gate, "held-out")["prediction"].tolist() == [answer_to(text) for text in texts(700)]


def test_a_full_disk_ends_the_run_in_one_line_and_what_was_committed_is_kept(in_process, server, tmp_path):
    """No file of the process may grow beyond 150 kB: the write fails as on a full disk."""
    gate = project(tmp_path, server.base_url, held_out=texts(900, "disk" * 20), concurrency=32)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    process = start(gate, preexec_fn=limit)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 4, error
    last = error.decode().strip().splitlines()[-1]
    assert last.startswith("error: the teacher's answers cannot be written to ")
    assert b"Traceback" not in error
    with sqlite3.connect(tmp_path / "runs" / "teacher_answers.sqlite") as store:
        (kept,) = store.execute("SELECT count(*) FROM answers").fetchone()
    store.close()
    assert kept > 0
    done = in_process("label", gate, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["held_out"]["found"] == kept


def test_terms_are_required_with_an_api(in_process, server, tmp_path):
    gate = project(tmp_path, server.base_url, held_out=texts(140))
    spec = yaml.safe_load(gate.read_text())
    del spec["teacher"]["terms"]
    gate.write_text(yaml.safe_dump(spec))
    assert "terms is required with api" in refused(in_process, gate)


def test_a_teacher_that_is_no_api_is_not_asked(in_process, recorded):
    gate = recorded(retention=0.98, teacher_usd=2, student_usd=1)
    assert "has no teacher.api" in refused(in_process, gate)
