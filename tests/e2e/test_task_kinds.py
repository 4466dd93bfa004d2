"""Every kind of task on the command line: a verdict that a metric decides, its figures computed again elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, ndcg_score, roc_auc_score

from tests.recorded_kinds import TOPICS, generation, multilabel, ranking
from tests.recorded_projects import Tables, binary, with_probabilities, write_gate, write_project

MODELS = ("teacher", "student")
Value = Callable[[pd.DataFrame, str], float]


def asked(*names: str, margin: float, everywhere: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [{"metric": name, "margin": margin, "subpopulations": name in everywhere} for name in names]


def verdict_of(evalkit: Any, gate: Path, run: str) -> tuple[int, dict[str, Any]]:
    done = evalkit("check", gate, "--run", gate.parent / "runs" / run, "--json", cwd=gate.parent)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def measured(project: Path, run: str) -> dict[tuple[str, str], dict[str, Any]]:
    record = json.loads((project / "runs" / run / "record.json").read_text())
    return {(each["name"], each["subpopulation"]): each["value"] for each in record["measurements"]}


def predictions(project: Path, run: str) -> pd.DataFrame:
    return pd.read_parquet(project / "runs" / run / "predictions.parquet")


def assert_recomputed(
    found: dict[tuple[str, str], dict[str, Any]], parts: dict[str, pd.DataFrame], metric: str, value: Value
) -> None:
    """Each model's own value and the gap, in every part of the rows, to 1e-9."""
    for name, rows in parts.items():
        teacher, student = (value(rows, model) for model in MODELS)
        assert found[f"teacher_{metric}", name]["point"] == pytest.approx(teacher, abs=1e-9)
        assert found[f"student_{metric}", name]["point"] == pytest.approx(student, abs=1e-9)
        gap = found[f"student_minus_teacher_{metric}", name]
        assert gap["point"] == pytest.approx(student - teacher, abs=1e-9)
        assert gap["lower"] <= gap["point"] <= gap["upper"]


def parts_by(table: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    return {"all": table, **{f"{column}={value}": rows for value, rows in table.groupby(column)}}


def only(parts: dict[str, pd.DataFrame], name: str = "all") -> dict[str, pd.DataFrame]:
    return {name: parts[name]}


def assert_said_in_the_reports(project: Path, run: str, *texts: str) -> None:
    for report in ("report.md", "report.html"):
        content = (
            (project / "runs" / run / report).read_text().replace("\\", "").replace("\u200b", "")
        )  # Markdown's escapes
        for text in texts:
            assert text in content, f"{report} does not say {text}"


# Multilabel


def held(cells: pd.Series) -> np.ndarray:
    return np.array([[topic in cell.split("|") for topic in TOPICS] for cell in cells])


def of_topic(rows: pd.DataFrame, model: str, topic: str) -> np.ndarray:
    return rows[f"{model}_probability_{topic}"].to_numpy(np.float64)


def mean_log_loss(rows: pd.DataFrame, model: str) -> float:
    truth = held(rows["row_label"])
    given = np.stack([of_topic(rows, model, topic) for topic in TOPICS], axis=1)
    return float(-np.log(np.where(truth, given, 1 - given)).mean())


def test_a_multilabel_verdict_follows_from_its_metrics(evalkit, tmp_path):
    spec = {
        "task": {"kind": "multilabel", "labels": list(TOPICS)},
        "subpopulations": {"by": ["source"]},
        "requirements": {
            "quality": {
                "metrics": asked(
                    "macro_f1",
                    "micro_f1",
                    "hamming_loss",
                    "f1:sport",
                    "auc:tech",
                    "log_loss",
                    margin=0.05,
                    everywhere=("macro_f1", "auc:tech"),
                )
            }
        },
    }
    gate = write_project(tmp_path, multilabel(error=0.006), **spec)
    code, verdict = verdict_of(evalkit, gate, "good")
    assert (code, verdict["outcome"]) == (0, "GO")
    table, found = predictions(tmp_path, "good"), measured(tmp_path, "good")
    parts = parts_by(table, "source")
    values: dict[str, tuple[dict[str, pd.DataFrame], Value]] = {
        "accuracy": (parts, lambda rows, model: (rows[model] == rows["row_label"]).mean()),
        "macro_f1": (parts, lambda rows, model: f1_score(held(rows["row_label"]), held(rows[model]), average="macro")),
        "auc:tech": (
            parts,
            lambda rows, model: roc_auc_score(held(rows["row_label"])[:, 2], of_topic(rows, model, "tech")),
        ),
        "micro_f1": (
            only(parts),
            lambda rows, model: f1_score(held(rows["row_label"]), held(rows[model]), average="micro"),
        ),
        "hamming_loss": (only(parts), lambda rows, model: (held(rows["row_label"]) != held(rows[model])).mean()),
        "f1:sport": (
            only(parts),
            lambda rows, model: f1_score(held(rows["row_label"])[:, 1], held(rows[model])[:, 1]),
        ),
        "log_loss": (only(parts), mean_log_loss),
    }
    for name, (where, value) in values.items():
        assert_recomputed(found, where, name, value)
    assert len(verdict["checks"]) == 2 + 6 + 2 * 2 + 2, "overall, six metrics, two of them in two groups, two gaps"
    assert_said_in_the_reports(tmp_path, "good", "macro_f1", "auc:tech", "source=agency")

    bad = multilabel(error=0.03)
    bad.student.to_parquet(tmp_path / "student.parquet")
    spec["requirements"]["quality"] |= {"overall_margin": 0.2, "subpopulation_margin": 0.2, "retention": None}
    spec["requirements"]["quality"]["metrics"] = asked("macro_f1", margin=0.01)
    code, verdict = verdict_of(evalkit, write_gate(tmp_path, **spec), "bad")
    assert (code, verdict["outcome"]) == (1, "NO-GO")
    assert verdict["deciding"]["requirement"]["measurement"] == "student_minus_teacher_macro_f1"


# Ranking


def by_query(rows: pd.DataFrame, value: Callable[[pd.DataFrame], float]) -> float:
    return float(np.mean([value(items) for _, items in rows.groupby("query")]))


def ndcg(items: pd.DataFrame, model: str) -> float:
    return float(ndcg_score([items["row_label"]], [items[model]], k=5))


def reciprocal_rank(items: pd.DataFrame, model: str) -> float:
    best = items.loc[items["row_label"] > 0, model].max()
    return 1 / int((items[model] >= best).sum())


def best_first(items: pd.DataFrame, model: str) -> bool:
    top = items.loc[items[model] == items[model].max(), "row_label"]
    return bool(top.min() == items["row_label"].max())


def test_a_ranking_verdict_follows_from_its_metrics_query_by_query(evalkit, tmp_path):
    spec = {
        "task": {"kind": "ranking"},
        "data": {"columns": {"query": "query"}},
        "subpopulations": {"by": ["language"]},
        "requirements": {"quality": {"metrics": asked("ndcg@5", "mrr", margin=0.04, everywhere=("ndcg@5", "mrr"))}},
    }
    gate = write_project(tmp_path, ranking(error=0.1), **spec)
    code, verdict = verdict_of(evalkit, gate, "good")
    assert (code, verdict["outcome"]) == (0, "GO")
    table, found = predictions(tmp_path, "good"), measured(tmp_path, "good")
    parts = parts_by(table, "language")
    for name, of_items in (("ndcg@5", ndcg), ("mrr", reciprocal_rank), ("accuracy", best_first)):

        def value(rows: pd.DataFrame, model: str, of_items: Callable[..., float] = of_items) -> float:
            return by_query(rows, lambda items: of_items(items, model))

        assert_recomputed(found, parts, name, value)
    assert found["student_minus_teacher_ndcg@5", "all"]["n"] == table["query"].nunique() == 500
    assert found["student_minus_teacher_accuracy", "all"]["n"] == 500, "a query is one unit, not each of its items"
    assert_said_in_the_reports(tmp_path, "good", "ndcg@5", "language=de")

    ranking(error=1.5).student.to_parquet(tmp_path / "student.parquet")
    spec["requirements"]["quality"] |= {"overall_margin": 0.5, "subpopulation_margin": 0.6, "retention": None}
    code, verdict = verdict_of(evalkit, write_gate(tmp_path, **spec), "bad")
    assert (code, verdict["outcome"]) == (1, "NO-GO")
    assert verdict["deciding"]["requirement"]["measurement"] == "student_minus_teacher_ndcg@5"


# Generation


def longest_common_subsequence(one: list[str], other: list[str]) -> int:
    lengths = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for place, against in enumerate(other, start=1):
            before, lengths[place] = (
                lengths[place],
                before + 1 if word == against else max(lengths[place], lengths[place - 1]),
            )
    return lengths[-1]


def rouge_l(rows: pd.DataFrame, model: str) -> float:
    scores = []
    for reference, answer in zip(rows["row_label"], rows[model], strict=True):
        one, other = (text.lower().replace(",", " ").replace(".", " ").split() for text in (reference, answer))
        shared = longest_common_subsequence(one, other)
        precision, recall = shared / len(other), shared / len(one)
        scores.append(2 * precision * recall / (precision + recall) if shared else 0.0)
    return float(np.mean(scores))


def test_a_generation_verdict_follows_from_its_metrics(evalkit, tmp_path):
    sacrebleu = pytest.importorskip("sacrebleu", reason="the extra evalkit-gate[generation] is not installed")
    spec = {
        "task": {"kind": "generation"},
        "subpopulations": {"by": ["language"]},
        "requirements": {
            "quality": {
                "metrics": [
                    *asked("chrf", margin=4, everywhere=("chrf",)),
                    *asked("rouge_l", "exact_match", margin=0.05, everywhere=("rouge_l",)),
                    *asked("bleu", margin=5),
                ]
            }
        },
    }
    gate = write_project(tmp_path, generation(error=0.02), **spec)
    code, verdict = verdict_of(evalkit, gate, "good")
    assert (code, verdict["outcome"]) == (0, "GO")
    table, found = predictions(tmp_path, "good"), measured(tmp_path, "good")
    parts = parts_by(table, "language")

    def corpus_score(score: Callable[..., Any]) -> Value:
        return lambda rows, model: score(rows[model].tolist(), [rows["row_label"].tolist()]).score

    assert_recomputed(found, parts, "chrf", corpus_score(sacrebleu.corpus_chrf))
    assert_recomputed(found, only(parts), "bleu", corpus_score(sacrebleu.corpus_bleu))
    assert_recomputed(found, parts, "rouge_l", rouge_l)
    assert_recomputed(found, parts, "accuracy", lambda rows, model: (rows[model] == rows["row_label"]).mean())
    assert_recomputed(
        found,
        only(parts),
        "exact_match",
        lambda rows, model: (rows[model].str.lower() == rows["row_label"].str.lower()).mean(),
    )
    assert_said_in_the_reports(tmp_path, "good", "chrf", "rouge_l", "language=en")

    generation(error=0.4).student.to_parquet(tmp_path / "student.parquet")
    spec["requirements"]["quality"] |= {"overall_margin": 0.5, "subpopulation_margin": 0.6, "retention": None}
    code, verdict = verdict_of(evalkit, write_gate(tmp_path, **spec), "bad")
    assert (code, verdict["outcome"]) == (1, "NO-GO")
    assert "gap in" in verdict["deciding"]["explanation"]


# Classification, with a metric of the user's own

OWN_METRIC = '''
def kappa(truth, predicted, probabilities):
    """Cohen's kappa."""
    rows = len(truth)
    observed = sum(one == other for one, other in zip(truth, predicted)) / rows
    labels = set(truth) | set(predicted)
    by_chance = sum(truth.count(label) * predicted.count(label) for label in labels) / rows**2
    return (observed - by_chance) / (1 - by_chance)


def misses(truth, predicted, probabilities):
    return sum(one == "yes" != other for one, other in zip(truth, predicted)) / len(truth)


misses.lower_is_better = True
'''


def kappa(rows: pd.DataFrame, model: str) -> float:
    counts = pd.crosstab(rows["row_label"], rows[model]).to_numpy() / len(rows)
    by_chance = float(counts.sum(0) @ counts.sum(1))
    return (float(np.trace(counts)) - by_chance) / (1 - by_chance)


def with_own_metric(evalkit: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, tables: Tables, **spec: Any) -> Path:
    package = folder / "elsewhere" / "ours"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "scores.py").write_text(OWN_METRIC)
    monkeypatch.setenv("PYTHONPATH", str(folder / "elsewhere"))
    return write_project(folder, tables, **spec)


def test_auc_and_a_metric_of_the_users_own_decide_a_classification(evalkit, tmp_path, monkeypatch):
    spec = {
        "task": {"labels": ["no", "yes"]},
        "subpopulations": {"by": ["channel"]},
        "requirements": {
            "quality": {
                "metrics": [
                    *asked("auc:yes", "ours.scores:kappa", margin=0.1, everywhere=("auc:yes",)),
                    *asked("ours.scores:misses", margin=0.03),
                ]
            }
        },
    }
    tables = with_probabilities(binary(1_500, lost=0.03))
    gate = with_own_metric(evalkit, monkeypatch, tmp_path, tables, **spec)
    code, verdict = verdict_of(evalkit, gate, "good")
    assert (code, verdict["outcome"]) == (0, "GO")
    table, found = predictions(tmp_path, "good"), measured(tmp_path, "good")
    parts = parts_by(table, "channel")
    assert_recomputed(
        found,
        parts,
        "auc:yes",
        lambda rows, model: roc_auc_score(rows["row_label"] == "yes", rows[f"{model}_probability_yes"]),
    )
    assert_recomputed(found, only(parts), "ours.scores:kappa", kappa)
    assert_recomputed(
        found,
        only(parts),
        "ours.scores:misses",
        lambda rows, model: ((rows["row_label"] == "yes") & (rows[model] == "no")).mean(),
    )
    (claim,) = (
        each["requirement"]
        for each in verdict["checks"]
        if each["requirement"]["measurement"] == "student_minus_teacher_ours.scores:misses"
    )
    assert (claim["direction"], claim["bound"]) == ("below", 0.03), "of a loss, more is worse"
    assert_said_in_the_reports(tmp_path, "good", "auc:yes", "ours.scores:kappa")

    spec["requirements"]["quality"] |= {"overall_margin": 0.2, "subpopulation_margin": 0.3, "retention": None}
    spec["requirements"]["quality"]["metrics"] = asked("ours.scores:kappa", margin=0.02)
    tables.losing(np.ones(1_500, dtype=bool), 0.05).student[["id", "prediction"]].to_parquet(
        tmp_path / "student.parquet"
    )
    code, verdict = verdict_of(evalkit, write_gate(tmp_path, **spec), "bad")
    assert (code, verdict["outcome"]) == (1, "NO-GO")
    assert verdict["deciding"]["requirement"]["measurement"] == "student_minus_teacher_ours.scores:kappa"


def test_a_metric_beside_gate_yaml_is_found_where_python_is_told_of_it(evalkit, tmp_path, monkeypatch):
    spec = {
        "task": {"labels": ["no", "yes"]},
        "requirements": {"quality": {"metrics": asked("scores:kappa", margin=0.1)}},
    }
    gate = write_project(tmp_path, binary(400), **spec)
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "scores.py").write_text(OWN_METRIC)
    done = evalkit("check", gate, cwd=away)
    assert done.returncode == 2
    assert "module scores cannot be imported" in done.stderr
    assert "put its folder on PYTHONPATH" in done.stderr
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert evalkit("check", gate, cwd=away).returncode in (0, 3)
