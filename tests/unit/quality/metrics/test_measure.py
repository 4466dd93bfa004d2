"""What the gate gets of each metric: a paired gap and both values, or the reason why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from evalkit.data.subpopulations import Group
from evalkit.errors import DataError, SpecError
from evalkit.predictions.units import unit_table
from evalkit.quality.metrics import paired_sums
from evalkit.quality.metrics.catalogue import KINDS, defaults
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.stats.interval import Interval, NotEstimable

LABELS = ("bad", "fair", "good")
MODELS = ("teacher", "student")


def classified(n=600, seed=0, probabilities=MODELS):
    rng = np.random.default_rng(seed)
    names = np.array(LABELS, dtype=object)
    truth = rng.integers(0, 3, n)
    columns = {"row_label": names[truth], "user": rng.integers(0, n // 5, n)}
    for model, wrong in (("teacher", 0.1), ("student", 0.2)):
        predicted = np.where(rng.random(n) < wrong, (truth + rng.integers(1, 3, n)) % 3, truth)
        columns[model] = names[predicted]
        given = rng.dirichlet(np.ones(3), n) + np.eye(3)[predicted]
        if model in probabilities:
            columns |= {f"{model}_probability_{label}": given[:, k] / 2 for k, label in enumerate(LABELS)}
    return pd.DataFrame(columns)


def group(name, rows):
    return Group(name=name, rows=np.asarray(rows, dtype=np.int64), margin=0.1, required=True)


def measured(table, metrics, groups=(), kind="classification", labels=LABELS, cluster=None, query=None, **named):
    rng = np.random.default_rng(named.pop("seed", 7))
    found = metric_measurements(
        table, kind, labels, metrics, groups, cluster, query, 0.9, rng, replicates=named.pop("replicates", 300), **named
    )
    by_name = {(each.name, each.subpopulation): each for each in found}
    assert len(by_name) == len(found)
    return by_name


def test_every_metric_gives_gap_and_both_values_over_all_rows_and_in_each_group():
    table = classified()
    parts = {"all": np.arange(600), "first": np.arange(300), "last": np.arange(300, 600)}
    found = measured(table, ["macro_f1"], [group(name, rows) for name, rows in parts.items() if name != "all"])
    assert len(found) == 9
    for name, rows in parts.items():
        part = table.iloc[rows]
        teacher, student = (f1_score(part["row_label"], part[model], average="macro") for model in MODELS)
        gap = found["student_minus_teacher_macro_f1", name]
        assert gap.value.point == pytest.approx(student - teacher, abs=1e-12)
        assert found["teacher_macro_f1", name].value.point == pytest.approx(teacher, abs=1e-12)
        assert found["student_macro_f1", name].value.point == pytest.approx(student, abs=1e-12)
        assert gap.value.lower < gap.value.point < gap.value.upper
        assert (gap.value.n, gap.value.level) == (len(rows), 0.9)
        assert (gap.unit, gap.evidence) == ("mean F1", "predictions.parquet")


def test_methods_say_what_was_resampled_and_what_was_added():
    found = measured(classified(), ["macro_f1", "log_loss"])
    gap = found["student_minus_teacher_macro_f1", "all"].value
    assert gap.method == "paired bootstrap with one more loss or gain, percentile"
    assert found["student_macro_f1", "all"].value.method == "paired bootstrap, BCa"
    assert found["student_minus_teacher_log_loss", "all"].value.method.endswith("gain, BCa")


def test_a_loss_that_grows_has_a_positive_gap():
    found = measured(classified(), ["log_loss", "brier"])
    assert found["student_minus_teacher_log_loss", "all"].value.point > 0
    assert found["student_minus_teacher_brier", "all"].value.lower > 0


def test_only_the_metrics_that_are_asked_for_are_measured_in_groups():
    groups = [group("first", range(300))]
    found = measured(classified(), ["macro_f1", "brier"], groups, in_groups=["brier"])
    assert {name for name, where in found if where == "first"} == {
        "student_minus_teacher_brier",
        "teacher_brier",
        "student_brier",
    }
    assert {where for _, where in measured(classified(), ["macro_f1"], groups, in_groups=())} == {"all"}


def test_another_metric_or_group_changes_no_figure():
    table, groups = classified(), [group("first", range(300)), group("last", range(300, 600))]
    alone = measured(table, ["macro_f1"], groups[1:])
    among = measured(table, ["ece", "auc:good", "macro_f1", "balanced_accuracy"], groups)
    assert {key: among[key] for key in alone} == alone


def test_one_seed_gives_the_same_figures_and_another_gives_others():
    table = classified()
    assert measured(table, ["macro_f1"], seed=1) == measured(table, ["macro_f1"], seed=1)
    first, second = (measured(table, ["macro_f1"], seed=seed)["student_macro_f1", "all"].value for seed in (1, 2))
    assert first.point == second.point
    assert first.lower != second.lower


def test_the_generator_is_drawn_from_once_whatever_is_measured():
    table, left = classified(), []
    for metrics in ([], ["macro_f1"], ["macro_f1", "log_loss"]):
        rng = np.random.default_rng(3)
        metric_measurements(table, "classification", LABELS, metrics, [], None, None, 0.9, rng, replicates=50)
        left.append(rng.integers(1_000_000))
    assert len(set(left)) == 1


def test_a_share_of_rows_is_measured_as_accuracy_is():
    table = classified()
    groups = [group("first", range(300))]
    truth = table["row_label"].to_numpy()
    hits = {
        model: (table[[f"{model}_probability_{label}" for label in LABELS]].to_numpy().argsort(axis=1)[:, 1:])
        for model in MODELS
    }
    as_answers = pd.DataFrame({"row_label": "right", "user": table["user"]})
    for model, likeliest in hits.items():
        among = (np.array(LABELS)[likeliest] == truth[:, None]).any(axis=1)
        as_answers[model] = np.where(among, "right", "wrong")
    for cluster in (None, "user"):
        found = measured(table, ["top@2"], groups, cluster=cluster)
        expected = {
            (each.name.replace("accuracy", "top@2"), each.subpopulation): each.value
            for each in paired_measurements(as_answers, groups, cluster, 0.9)
            if "over" not in each.name
        }
        assert {key: each.value for key, each in found.items()} == expected
        assert found["student_minus_teacher_top@2", "all"].counts is not None


def test_accuracy_is_left_to_the_measurement_that_there_is():
    assert measured(classified(), ["accuracy", "macro_f1"]) == measured(classified(), ["macro_f1"])
    assert measured(classified(), ["accuracy"]) == {}


def test_a_metric_named_twice_is_measured_once():
    assert len(measured(classified(), ["macro_f1", "macro_f1"])) == 3


def test_whole_clusters_are_resampled():
    """Each row ten times in one cluster: as many units as clusters, and intervals as wide as of the rows alone."""
    table = classified(300)
    tenfold = table.loc[np.repeat(table.index, 10)].assign(document=np.repeat(np.arange(300), 10))
    for name in ("macro_f1", "balanced_accuracy", "log_loss", "auc:good"):
        alone = measured(table, [name], replicates=2000)[f"student_minus_teacher_{name}", "all"].value
        copied = measured(tenfold, [name], cluster="document", replicates=2000)
        copied = copied[f"student_minus_teacher_{name}", "all"].value
        assert copied.n == 300
        assert "cluster bootstrap" in copied.method
        assert copied.point == pytest.approx(alone.point)
        assert copied.upper - copied.lower == pytest.approx(alone.upper - alone.lower, rel=0.12)


def test_one_cluster_alone_is_no_evidence():
    table = classified(100).assign(document=1)
    for each in measured(table, ["macro_f1", "log_loss", "auc:good"], cluster="document").values():
        assert isinstance(each.value, NotEstimable)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((), "no probabilities of the teacher and the student are recorded"),
        (("student",), "no probabilities of the teacher are recorded"),
        (("teacher",), "no probabilities of the student are recorded"),
    ],
)
@pytest.mark.parametrize("name", ["log_loss", "auc:good", "top@2", "ece"])
def test_a_model_without_probabilities_is_named_and_the_other_still_measured(name, given, reason):
    found = measured(classified(probabilities=given), [name], [group("first", range(300))])
    for where in ("all", "first"):
        assert found[f"student_minus_teacher_{name}", where].value == NotEstimable(reason=reason, n=0)
        for model in MODELS:
            value = found[f"{model}_{name}", where].value
            assert value == NotEstimable(reason=reason, n=0) if model not in given else isinstance(value, Interval)


def test_a_group_of_one_class_has_no_auc():
    table = classified()
    rows = np.flatnonzero(table["row_label"] == "good")
    found = measured(table, ["auc:good"], [group("only good", rows)])
    assert isinstance(found["student_minus_teacher_auc:good", "all"].value, Interval)
    for model in ("student_minus_teacher", *MODELS):
        missing = found[f"{model}_auc:good", "only good"].value
        assert missing == NotEstimable(reason="AUC needs rows with the label good and rows without", n=len(rows))


@pytest.mark.parametrize("rows", [[], [3]])
@pytest.mark.parametrize("name", ["macro_f1", "log_loss", "auc:good", "top@2"])
def test_no_row_and_one_row_are_never_an_interval_of_a_bootstrap(name, rows):
    found = measured(classified(), [name], [group("tiny", rows)])
    gap = found[f"student_minus_teacher_{name}", "tiny"].value
    if name == "top@2" and rows:
        assert gap.upper - gap.lower > 1  # Tango's of one row
    else:
        assert isinstance(gap, NotEstimable)


def test_identical_models_have_a_gap_as_wide_as_what_was_not_seen_or_none():
    """Counts: about 3 unseen losses (95 %) among 600 rows. Scores and AUC say nothing of how large a loss would be."""
    table = classified()
    for column in [name for name in table.columns if name.startswith("student")]:
        table[column] = table["teacher" + column.removeprefix("student")]
    found = measured(table, ["macro_f1", "log_loss", "auc:good"], replicates=2000)
    counted = found["student_minus_teacher_macro_f1", "all"].value
    assert counted.point == 0
    assert counted.lower == pytest.approx(-3 / 600, rel=0.2)
    assert counted.upper == pytest.approx(3 / 600, rel=0.2)
    for name in ("log_loss", "auc:good"):
        assert isinstance(found[f"student_minus_teacher_{name}", "all"].value, NotEstimable)
        assert isinstance(found[f"student_{name}", "all"].value, Interval)


def test_in_ranking_queries_are_the_units_of_rows_groups_and_clusters():
    rng = np.random.default_rng(4)
    queries = rng.permutation(np.repeat([f"q{number}" for number in range(120)], 6))
    table = pd.DataFrame({"query": queries, "row_label": rng.choice([0.0, 0.0, 0.0, 1.0, 2.0], 720)})
    table["user"] = table["query"].map(lambda query: int(query[1:]) // 4)
    table["teacher"] = table["row_label"] + rng.normal(0, 1, 720)
    table["student"] = table["row_label"] + rng.normal(0, 2, 720)
    units = unit_table(table, "ranking", "query")
    chosen = np.flatnonzero(units["user"] < 10)
    found = measured(table, ["mrr", "ndcg@3"], [group("few users", chosen)], kind="ranking", labels=(), query="query")
    alone = measured(table[table["user"] < 10], ["mrr", "ndcg@3"], kind="ranking", labels=(), query="query")
    for name in ("mrr", "ndcg@3"):
        in_group, by_itself = (
            found[f"student_minus_teacher_{name}", "few users"].value,
            alone[f"student_minus_teacher_{name}", "all"].value,
        )
        assert in_group.point == pytest.approx(by_itself.point, abs=1e-12)
        assert in_group.n == by_itself.n == 40
        assert found[f"student_minus_teacher_{name}", "all"].value.n == 120
    clustered = measured(table, ["mrr"], kind="ranking", labels=(), query="query", cluster="user")
    assert clustered["student_minus_teacher_mrr", "all"].value.n == 30


def test_items_of_one_query_in_two_clusters_are_refused():
    table = pd.DataFrame({"query": ["a", "a"], "row_label": [1.0, 0.0], "user": [1, 2]})
    table["teacher"] = table["student"] = [0.2, 0.1]
    with pytest.raises(DataError, match="cluster"):
        measured(table, ["mrr"], kind="ranking", labels=(), query="query", cluster="user")


def texts(n=80):
    rng = np.random.default_rng(6)
    words = np.array("red green blue cyan black white grey pink".split())
    truth = [" ".join(rng.choice(words, 5)) for _ in range(n)]

    def changed(text, wrong):
        return " ".join(str(rng.choice(words)) if rng.random() < wrong else word for word in text.split())

    return pd.DataFrame(
        {
            "row_label": truth,
            "teacher": [changed(text, 0.1) for text in truth],
            "student": [changed(text, 0.3) for text in truth],
        }
    )


def test_answered_texts_are_measured_and_the_worse_model_shows():
    metrics = ["exact_match", "token_f1", "rouge_l", "bleu", "chrf"]
    found = measured(texts(), metrics, [group("first", range(40))], kind="generation", labels=())
    for name in metrics:
        for where in ("all", "first"):
            gap = found[f"student_minus_teacher_{name}", where].value
            assert isinstance(gap, Interval)
            assert gap.upper < 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_of_every_kind_give_intervals_on_ordinary_data(kind):
    if kind == "classification":
        found = measured(classified(), defaults(kind))
    elif kind == "multilabel":
        table = classified()
        for column in ("row_label", *MODELS):
            table[column] = table[column].replace({"fair": "bad|good", "good": ""})
        found = measured(table, defaults(kind), kind=kind)
    elif kind == "generation":
        found = measured(texts(), defaults(kind), kind=kind, labels=())
    else:
        rng = np.random.default_rng(1)
        table = pd.DataFrame({"query": np.repeat(np.arange(50), 4), "row_label": rng.integers(0, 3, 200)})
        table["teacher"], table["student"] = rng.normal(size=200), rng.normal(size=200)
        found = measured(table, defaults(kind), kind=kind, labels=(), query="query")
    assert len(found) == 3 * len(defaults(kind))
    assert all(isinstance(each.value, Interval) for each in found.values())


def test_an_unknown_metric_is_refused_before_anything_is_measured():
    with pytest.raises(SpecError, match="did you mean macro_f1"):
        measured(classified(), ["macro_f1", "makro_f1"])


def test_blocks_of_rows_have_the_spread_of_rows(monkeypatch):
    table = classified(4000)
    rows = measured(table, ["log_loss", "ece"], replicates=2000)
    monkeypatch.setattr(paired_sums, "MOST_UNITS", 1000)
    blocks = measured(table, ["log_loss", "ece"], replicates=2000)
    for key, each in rows.items():
        assert "1,000 random blocks" in blocks[key].value.method
        assert blocks[key].value.n == 4000
        assert blocks[key].value.point == pytest.approx(each.value.point, abs=1e-12)
        widths = [one.value.upper - one.value.lower for one in (blocks[key], each)]
        assert widths[0] == pytest.approx(widths[1], rel=0.12)


def test_blocks_of_clusters_have_the_spread_of_clusters(monkeypatch):
    table = classified(6000).assign(document=np.repeat(np.arange(2000), 3))
    clusters = measured(table, ["macro_f1"], cluster="document", replicates=2000)
    monkeypatch.setattr(paired_sums, "MOST_UNITS", 500)
    blocks = measured(table, ["macro_f1"], cluster="document", replicates=2000)
    one, other = (each["student_macro_f1", "all"].value for each in (clusters, blocks))
    assert other.method == "paired cluster bootstrap of 500 random blocks, BCa"
    assert (other.n, other.point) == (2000, pytest.approx(one.point))
    assert other.upper - other.lower == pytest.approx(one.upper - one.lower, rel=0.15)
