"""How fast the evidence on quality is, and that it says what slower tools say.

    pip install -e '.[benchmarks]'
    python benchmarks/quality.py     # about ten minutes on two cores, nearly all of it the others'

Three claims, all on generated tables. A million rows in a thousand subpopulations, each time in a process of its own
that is held to two cores. Macro-F1 of a hundred subpopulations against fairlearn, in turns; fairlearn would take half
an hour for all replicates, so it draws a few and its time is scaled up, as the claim says. The search for a bad
subpopulation against sliceline, in turns too. Writes benchmarks/history/quality-DATE.json and prints the same as a
table.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.data.reading import read_table
from evalkit.data.subpopulations import groups
from evalkit.quality.discovery.search import search
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.record.hardware import hardware, packages
from evalkit.spec.subpopulations import Subpopulation
from evalkit.stats.interval import Interval

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "benchmarks" / "history"
PEERS = ("fairlearn", "sliceline")
LEVEL = 0.9
LABELS = tuple(f"label {number}" for number in range(5))
ROUNDS = 3

SIZES = (250_000, 500_000, 1_000_000)
COLUMNS = 8
VALUES = 100
CROSSED = {"region": 10, "device": 20}
GROUPINGS = [
    *(Subpopulation(columns=(f"column_{number}",)) for number in range(COLUMNS)),
    Subpopulation(columns=tuple(CROSSED)),
]
SUBPOPULATIONS = COLUMNS * VALUES + 10 * 20

F1_ROWS, F1_GROUPS, F1_REPLICATES = 100_000, 100, 1000

SEARCHED_ROWS, SEARCHED_COLUMNS, SEARCHED_VALUES = 100_000, 20, 10
PLANTED = {3: 7, 11: 2}
LEAST_ROWS = 500


def claim(name: str, value: float, unit: str, target: str, holds: bool, peer: str | None = None) -> dict[str, Any]:
    return {
        "claim": name, "value": round(value, 3), "unit": unit, "target": target, "holds": bool(holds), "peer": peer,
    }  # fmt: skip


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def predictions(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """An aligned table: labels, and a teacher that is right more often than its student."""
    truth = rng.integers(len(LABELS), size=rows)
    names = np.array(LABELS, dtype=object)
    columns: dict[str, Any] = {"row_id": np.arange(rows).astype(str), "row_label": names[truth]}
    for model, accuracy in (("teacher", 0.9), ("student", 0.88)):
        guessed = rng.integers(len(LABELS), size=rows)
        columns[model] = names[np.where(rng.random(rows) < accuracy, truth, guessed)]
    return pd.DataFrame(columns)


# A million rows in a thousand subpopulations


def write_many(path: Path, rows: int) -> None:
    rng = np.random.default_rng(rows)
    own = {f"column_{number}": VALUES for number in range(COLUMNS)} | CROSSED
    columns = {
        name: np.array([f"value {value}" for value in range(count)], dtype=object)[rng.integers(count, size=rows)]
        for name, count in own.items()
    }
    table = predictions(rows, rng).assign(**columns, user=rng.integers(rows // 4, size=rows))
    table.to_parquet(path)


def measure_file(path: Path, cluster: str | None) -> None:
    """Reads, groups and measures in this process, on two cores; prints seconds, mebibytes and intervals as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    started = time.perf_counter()
    table = read_table(path, "predictions")
    found = groups(table, GROUPINGS, 0.05)
    measured = paired_measurements(table, found, cluster, LEVEL)
    seconds = time.perf_counter() - started
    intervals = sum(isinstance(each.value, Interval) for each in measured)
    print(json.dumps({"seconds": seconds, "mebibytes": peak(), "groups": len(found), "intervals": intervals}))


def peak() -> float:
    """The most memory that this process has held, in MiB. (Linux' ru_maxrss counts what its parent held, too.)"""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measured_apart(path: Path, cluster: str | None = None) -> dict[str, float]:
    """The median run of several, each in a process of its own. Raises SystemExit where an interval is missing."""
    command = [sys.executable, __file__, "--measure", str(path), *(["--cluster", cluster] if cluster else [])]
    runs = []
    for _ in range(ROUNDS):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
        expected = {"groups": SUBPOPULATIONS, "intervals": 1 + 3 * (1 + SUBPOPULATIONS)}
        if any(runs[-1][name] != number for name, number in expected.items()):
            raise SystemExit(f"expected {expected}, found {runs[-1]}")
    return {
        "seconds": statistics.median(run["seconds"] for run in runs),
        "mebibytes": max(run["mebibytes"] for run in runs),
    }


def many_subpopulations(folder: Path) -> list[dict[str, Any]]:
    paths = {rows: folder / f"{rows}.parquet" for rows in SIZES}
    for rows, path in paths.items():
        write_many(path, rows)
    found = {rows: measured_apart(path) for rows, path in paths.items()}
    clustered = measured_apart(paths[SIZES[-1]], "user")
    for rows, run in found.items():
        print(f"{rows} rows: {run['seconds']:.2f} s, {run['mebibytes']:.0f} MiB")
    largest, smallest = found[SIZES[-1]], found[SIZES[0]]
    growth = (largest["seconds"] / smallest["seconds"]) / (SIZES[-1] / SIZES[0])
    work = f"{SIZES[-1]:,} rows × {SUBPOPULATIONS:,} subpopulations, gap and accuracies, Parquet read included"
    claims = []
    for name, run in ((work, largest), ("the same with rows clustered by user", clustered)):
        claims += [
            claim(name, run["seconds"], "s", "≤ 5", run["seconds"] <= 5),
            claim("peak memory of that process", run["mebibytes"], "MiB", "≤ 2000", run["mebibytes"] <= 2000),
        ]
    return [*claims, claim(f"time a row at {SIZES[-1]:,} rows ÷ at {SIZES[0]:,}", growth, "×", "≤ 1.2", growth <= 1.2)]


# Macro-F1 with a paired bootstrap


def macro_f1_of_counts(truth: np.ndarray, answers: np.ndarray) -> float:
    """scikit-learn's macro-F1 by hand, some ten times faster: what somebody in a hurry would give fairlearn."""
    count = len(LABELS)
    confusion = np.bincount(count * np.asarray(truth) + np.asarray(answers), minlength=count * count)
    confusion = confusion.reshape(count, count)
    total = confusion.sum(0) + confusion.sum(1)
    return float(np.divide(2 * np.diag(confusion), total, out=np.zeros(count), where=total > 0).mean())


def sklearn_macro_f1(truth: np.ndarray, answers: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, answers, labels=range(len(LABELS)), average="macro", zero_division=0))


def fairlearn_gap(
    table: pd.DataFrame, metric: Callable[[np.ndarray, np.ndarray], float], replicates: int, seed: int
) -> pd.DataFrame:
    """Both ends of the gap's interval in each group, columns ``lower`` and ``upper``."""
    from fairlearn.metrics import MetricFrame

    number = {label: index for index, label in enumerate(LABELS)}
    truth, teacher, student = (table[name].map(number).to_numpy() for name in ("row_label", "teacher", "student"))

    def gap(y_true: np.ndarray, y_pred: np.ndarray, teacher: np.ndarray) -> float:
        return metric(y_true, y_pred) - metric(y_true, teacher)

    frame = MetricFrame(
        metrics=gap,
        y_true=truth,
        y_pred=student,
        sensitive_features=table["group"],
        sample_params={"teacher": teacher},
        n_boot=replicates,
        ci_quantiles=[(1 - LEVEL) / 2, (1 + LEVEL) / 2],
        random_state=seed,
    )
    lower, upper = frame.by_group_ci
    return pd.DataFrame({"lower": lower, "upper": upper})


def fairlearn_student(table: pd.DataFrame, replicates: int, seed: int) -> pd.DataFrame:
    """Both ends of the interval of the student's own macro-F1 in each group."""
    from fairlearn.metrics import MetricFrame

    number = {label: index for index, label in enumerate(LABELS)}
    frame = MetricFrame(
        metrics=macro_f1_of_counts,
        y_true=table["row_label"].map(number).to_numpy(),
        y_pred=table["student"].map(number).to_numpy(),
        sensitive_features=table["group"],
        n_boot=replicates,
        ci_quantiles=[(1 - LEVEL) / 2, (1 + LEVEL) / 2],
        random_state=seed,
    )
    lower, upper = frame.by_group_ci
    return pd.DataFrame({"lower": lower, "upper": upper})


def evalkit_macro_f1(table: pd.DataFrame, replicates: int, seed: int) -> pd.DataFrame:
    """The gap, both models' own macro-F1 and all rows by evalkit; the ends of the student's own are returned. (The
    gap's interval allows for a loss that nobody has seen, and is wider than any plain bootstrap's.)"""
    found = groups(table, [Subpopulation(columns=("group",))], 0.05)
    rng = np.random.default_rng(seed)
    measured = metric_measurements(
        table, "classification", LABELS, ["macro_f1"], found, None, None, LEVEL, rng, replicates=replicates
    )
    ends = {
        each.subpopulation.removeprefix("group="): (each.value.lower, each.value.upper)
        for each in measured
        if each.name == "student_macro_f1" and isinstance(each.value, Interval)
    }
    return pd.DataFrame(ends, index=["lower", "upper"]).T


def monte_carlo_errors(ours: pd.DataFrame, theirs: pd.DataFrame, of_ours: int, of_theirs: int) -> np.ndarray:
    """How far apart the ends are, [2 · groups], in standard errors of a difference of two bootstrap quantiles.

    Of B replicates that are about normal, the p-quantile has the standard error σ sqrt(p(1 − p)/B)/φ(z_p).
    """
    from scipy.stats import norm

    both = ours.loc[theirs.index]
    tail = (1 - LEVEL) / 2
    z = norm.ppf(1 - tail)
    sigma = (both["upper"] - both["lower"]) / (2 * z)
    error = sigma * np.sqrt(tail * (1 - tail) * (1 / of_ours + 1 / of_theirs)) / norm.pdf(z)
    return np.concatenate([(both[end] - theirs[end]).abs() / error for end in ("lower", "upper")])


def macro_f1(timed: int, compared: int) -> list[dict[str, Any]]:
    """fairlearn draws ``timed`` replicates a round for its time, and ``compared`` in one for its intervals."""
    rng = np.random.default_rng(7)
    group = np.array([f"g{number:02}" for number in range(F1_GROUPS)])[rng.integers(F1_GROUPS, size=F1_ROWS)]
    table = predictions(F1_ROWS, rng).assign(group=group)
    evalkit_macro_f1(table.head(2000), 10, 0)  # what is imported on first use
    fairlearn_gap(table.head(2000), sklearn_macro_f1, 2, 0)
    ours, theirs = [], []
    for seed in range(ROUNDS):
        seconds, _ = clocked(lambda seed=seed: evalkit_macro_f1(table, F1_REPLICATES, seed))
        ours.append(seconds)
        seconds, _ = clocked(lambda seed=seed: fairlearn_gap(table, sklearn_macro_f1, timed, seed))
        theirs.append(seconds / timed * F1_REPLICATES)
        print(f"macro-F1: evalkit {ours[-1]:.2f} s; fairlearn {seconds:.1f} s for {timed} replicates")
    seconds, own = clocked(lambda: evalkit_macro_f1(table, F1_REPLICATES, ROUNDS))
    by_hand, _ = clocked(lambda: fairlearn_gap(table, macro_f1_of_counts, timed, ROUNDS))
    other = fairlearn_student(table, compared, ROUNDS)
    ratio = statistics.median(theirs) / statistics.median(ours)
    ratio_by_hand = by_hand / timed * F1_REPLICATES / seconds
    within = float(np.mean(monte_carlo_errors(own, other, F1_REPLICATES, compared) <= 3))
    work = f"macro-F1, {F1_REPLICATES:,} paired replicates × {F1_GROUPS} subpopulations × {F1_ROWS:,} rows"
    peer = f"fairlearn {importlib.metadata.version('fairlearn')} MetricFrame"
    usual = f"fairlearn with scikit-learn's f1_score{_scaled(timed)} ÷ evalkit"
    return [
        claim(work, statistics.median(ours), "s", "none", True),
        claim(usual, ratio, "×", "≥ 20", ratio >= 20, peer),
        claim(f"fairlearn with macro-F1 by hand{_scaled(timed)} ÷ evalkit", ratio_by_hand, "×", "none", True, peer),
        claim(
            f"ends of the student's own interval within 3 Monte-Carlo errors of fairlearn's {compared} replicates",
            100 * within, "%", "≥ 97", within >= 0.97, peer,
        ),
    ]  # fmt: skip


def _scaled(replicates: int) -> str:
    return "" if replicates == F1_REPLICATES else f", time scaled from {replicates} replicates,"


# The search for a bad subpopulation


def planted_loss(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Codes [rows, columns] and a loss of 0 or 1 [rows], ten times as frequent in one crossing of two columns."""
    codes = rng.integers(SEARCHED_VALUES, size=(SEARCHED_ROWS, SEARCHED_COLUMNS), dtype=np.int32)
    planted = np.all([codes[:, column] == value for column, value in PLANTED.items()], axis=0)
    return codes, (rng.random(SEARCHED_ROWS) < np.where(planted, 0.5, 0.05)).astype(np.float64)


def top_of_sliceline(codes: np.ndarray, loss: np.ndarray, columns: int) -> dict[int, int]:
    from sliceline.slicefinder import Slicefinder

    finder = Slicefinder(alpha=0.95, k=1, max_l=columns, min_sup=LEAST_ROWS, verbose=False).fit(codes, loss)
    return {column: int(value) for column, value in enumerate(finder.top_slices_[0]) if value is not None}


def top_of_evalkit(codes: np.ndarray, loss: np.ndarray, columns: int) -> dict[int, int]:
    return dict(search(codes, loss, min_rows=LEAST_ROWS, max_columns=columns, most=1)[0].conditions)


def discovery() -> list[dict[str, Any]]:
    codes, loss = planted_loss(np.random.default_rng(3))
    peer = f"sliceline {importlib.metadata.version('sliceline')}"
    claims = []
    # Three columns take sliceline minutes: once is enough.
    for columns, rounds in ((2, ROUNDS), (3, 1)):
        ours, theirs = [], []
        for _ in range(rounds):
            seconds, own = clocked(lambda columns=columns: top_of_evalkit(codes, loss, columns))
            ours.append(seconds)
            seconds, other = clocked(lambda columns=columns: top_of_sliceline(codes, loss, columns))
            theirs.append(seconds)
        print(f"discovery, {columns} columns crossed: evalkit {min(ours):.2f} s, sliceline {min(theirs):.2f} s")
        ratio = statistics.median(theirs) / statistics.median(ours)
        work = f"{SEARCHED_ROWS:,} rows × {SEARCHED_COLUMNS} columns, {columns} crossed"
        same = own == other == PLANTED
        claims += [
            claim(f"search of {work}: sliceline ÷ evalkit", ratio, "×", "≥ 1", ratio >= 1, peer),
            claim("both find the planted subpopulation first (1: yes)", same, "", "1", same, peer),
        ]
    return claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, help="read and measure this file, and print what it took")
    parser.add_argument("--cluster", help="with --measure: the column whose equal values belong together")
    parser.add_argument("--timed", type=int, default=20, help="replicates that fairlearn draws a round, for its time")
    parser.add_argument("--compared", type=int, default=200, help="replicates of fairlearn's intervals")
    parser.add_argument("--dry", action="store_true", help="write no history")
    given = parser.parse_args()
    if given.measure is not None:
        measure_file(given.measure, given.cluster)
        return
    with tempfile.TemporaryDirectory() as folder:
        claims = many_subpopulations(Path(folder))
    claims += discovery()
    claims += macro_f1(given.timed, given.compared)
    for each in claims:
        kept = "holds" if each["holds"] else "MISSED"
        print(f"{each['claim']:<95} {each['value']:>9} {each['unit']:<3} target {each['target']:<7} {kept}")
    if given.dry:
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    versions = packages() | {name: importlib.metadata.version(name) for name in PEERS}
    result = {"versions": versions, "hardware": hardware(), "commit": commit.stdout.strip(), "claims": claims}
    path = HISTORY / f"quality-{datetime.date.today().isoformat()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    print(path)


if __name__ == "__main__":
    main()
