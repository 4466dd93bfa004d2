"""The gate on a student that is served and a teacher whose answers and latencies were recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.model_folders import LABELS, write_tiny_model_folder

pytestmark = pytest.mark.alone

ROWS = 300
WORDS = {"negative": "bad", "neutral": "plain", "positive": "good"}
SPEC: dict[str, Any] = {
    "task": {"name": "served", "labels": list(LABELS)},
    "data": {"held_out": "held_out.csv"},
    "discovery": None,
    "teacher": {"recorded": "teacher.csv"},
    "student": {"load": "student"},
    "serve": {"provider": "cpu"},
    "load": {"rate_rps": 400, "duration_s": 2, "warmup_s": 0, "saturation_clients": 2, "saturation_s": 2},
    "cost": {
        "teacher": {"usd_per_million_requests": 800, "source": "price list", "date": "2026-11-01"},
        "student": {"usd_per_hour": 0.36, "utilisation": 0.5, "source": "price list", "date": "2026-11-01"},
    },
    "requirements": {"latency": {"p99_ms": 500}, "speed_up": 1.1, "quality": {"retention": 0.5}},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    labels = rng.choice(LABELS, ROWS)
    ids = [f"row-{number}" for number in range(ROWS)]
    texts = [f"the {WORDS[label]} film number {number}" for number, label in enumerate(labels)]
    pd.DataFrame({"id": ids, "text": texts, "label": labels}).to_csv(tmp_path / "held_out.csv", index=False)
    answers = {"id": ids, "prediction": labels, "latency_ms": 40 + 10 * rng.exponential(size=ROWS)}
    pd.DataFrame(answers).to_csv(tmp_path / "teacher.csv", index=False)
    write_tiny_model_folder(tmp_path / "student")
    return tmp_path


def checked(evalkit: Any, project: Path, spec: dict[str, Any]) -> tuple[Any, Path]:
    (project / "gate.yaml").write_text(yaml.safe_dump(spec))
    done = evalkit("check", "gate.yaml", "--run", "run", "--json", cwd=project)
    return done, project / "run"


@pytest.mark.slow
def test_the_cost_rests_on_the_capacity_and_the_speed_up_on_recorded_latencies(project: Path, evalkit: Any) -> None:
    """Whatever this machine lets the search find, record and report say it, and say the same."""
    spec = SPEC | {"load": SPEC["load"] | {"capacity": {"p99_ms": 100, "max_minutes": 0.5}}}
    done, run = checked(evalkit, project, spec)
    assert done.returncode in (0, 1, 3), done.stderr
    record = json.loads((run / "record.json").read_text())
    measured = {each["name"]: each for each in record["measurements"] if each["subpopulation"] == "all"}
    report = (run / "report.md").read_text().replace("\\", "")

    capacity = measured["student_capacity_rps"]
    (load,) = record["loads"]
    found = json.loads((run / capacity["evidence"]).read_text())
    assert capacity["value"] == found["rate"]
    assert load["figures"]["capacity_trials"] == len(found["trials"]) >= 1
    assert load["figures"]["capacity_limit_ms"] == 100
    assert "Requests a second, p99 ≤ 100 ms" in report
    assert "at 50 % of the capacity" in report
    assert "teacher_capacity_rps" not in measured
    cost = measured["student_usd_per_million_requests"]["value"]
    if "point" in capacity["value"]:
        assert cost["point"] == pytest.approx(1e6 * 0.36 / (3600 * 0.5 * capacity["value"]["point"]))
        assert cost["upper"] == pytest.approx(1e6 * 0.36 / (3600 * 0.5 * capacity["value"]["lower"]))
        assert ("▲ a cliff: " in report) == (found["cliff"] is not None)
    else:
        assert "point" not in cost
        assert f"not found: {capacity['value']['reason']}" in report

    recorded_ms = pd.read_csv(project / "teacher.csv")["latency_ms"]
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        ratio = measured[f"teacher_over_student_{name}"]["value"]
        if "point" not in measured[f"student_{name}_ms"]["value"]:
            continue
        assert "as recorded with its answers" in ratio["method"]
        teacher_ms = np.quantile(recorded_ms, share, method="inverted_cdf")
        assert ratio["point"] == pytest.approx(teacher_ms / measured[f"student_{name}_ms"]["value"]["point"])


@pytest.mark.slow
def test_a_void_load_measurement_is_inconclusive_says_why_and_is_not_kept(project: Path, evalkit: Any) -> None:
    """A limit of a microsecond: no generator is on time to a tenth of that, so nothing was measured."""
    bar = {"latency": {"p99_ms": 0.001}, "cost_reduction": None, "quality": {"retention": 0.5}}
    done, run = checked(evalkit, project, SPEC | {"requirements": bar})
    assert done.returncode == 3, done.stderr
    checks = {check["requirement"]["measurement"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["student_p99_ms"]["outcome"] == "open"
    said = checks["student_p99_ms"]["explanation"]
    assert "void: " in said
    assert "The generator sent late" in said
    assert "VOID" in (run / "report.md").read_text()
    assert list(run.glob("stages/predictions/*/stage.json")), "what stands is kept"
    assert not list(run.glob("stages/load-*/*/stage.json"))


@pytest.mark.parametrize(("words", "fires"), [(("bad", "plain", "good"), False), (("good",), True)])
def test_a_student_that_answers_production_otherwise_is_found(
    project: Path, evalkit: Any, words: tuple[str, ...], fires: bool
) -> None:
    rng = np.random.default_rng(2)
    texts = [f"the {word} film number {number}" for number, word in enumerate(rng.choice(words, ROWS))]
    pd.DataFrame({"text": texts}).to_csv(project / "production.csv", index=False)
    without = {key: value for key, value in SPEC.items() if key not in ("load", "cost")}
    bar = {"cost_reduction": None, "quality": {"retention": 0.5}}
    data = SPEC["data"] | {"production": "production.csv"}
    done, run = checked(evalkit, project, without | {"data": data, "requirements": bar})
    assert done.returncode in (0, 1, 3), done.stderr
    findings = json.loads((run / "record.json").read_text())["findings"]
    (shift,) = (each for each in findings if each["measurement"]["name"].endswith("_probability_distance"))
    assert shift["fired"] is fires, shift["explanation"]
    assert bool(shift["examples"]) is fires
    assert ("To look at: “the good film" in (run / "report.md").read_text().replace("\\", "")) is fires
