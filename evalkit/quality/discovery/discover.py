"""The search for subpopulations that nobody declared: found on one half of the rows, confirmed on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from evalkit.data.subpopulations import Group, group_name
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.discovery.candidates import Limits, candidates, rows_of
from evalkit.quality.discovery.confirm import p_loses_more
from evalkit.quality.discovery.discovered import FOUND, Discovered, DiscoveryResult
from evalkit.quality.discovery.features import Features, Task, features_of
from evalkit.quality.discovery.halves import halves
from evalkit.quality.discovery.search import Slice
from evalkit.quality.paired_gap import EVIDENCE, GAP, paired_measurements, right
from evalkit.spec.subpopulations import Discovery
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import Measurement

MOST_EXAMPLES = 5


def discover(
    table: pd.DataFrame,
    spec: Discovery,
    *,
    task: Task,
    training_texts: Sequence[str] | None = None,
    declared: Sequence[Group] = (),
    level: float,
    rng: np.random.Generator,
) -> DiscoveryResult:
    """Where the student loses most against its teacher, of the subpopulations that ``spec`` lets be searched.

    ``table`` is the aligned table, one row a unit (``unit_table``). The loss of a row is teacher right − student
    right. A find with exactly the rows of a ``declared`` group is named and not tested again. The rows of one cluster
    are not torn apart. ``level`` is the two-sided confidence of the gaps, on the confirming half.

    Too few rows are no error: the result says how many would be needed. Raises DataError for a column that is
    not there.
    """
    cluster = task.columns.cluster
    clusters = None if cluster is None else np.asarray(pd.factorize(table[cluster])[0], dtype=np.int64)
    searched, confirming = halves(len(table), clusters, rng)
    if min(len(searched), len(confirming)) < 2 * spec.min_rows:
        return _not_searched(spec, len(searched), len(confirming))
    features = features_of(table, spec, task, training_texts, rng)
    loss = right(table, TEACHER).astype(np.float64) - right(table, STUDENT)
    limits = Limits(min_rows=spec.min_rows, max_columns=spec.max_columns, apart=features.apart)
    found = candidates(features.codes[searched], loss[searched], limits)
    names = {each.rows.tobytes(): each.name for each in declared}
    already = [names.get(_rows(features, each).tobytes()) for each in found]
    half = _Confirming.of(table, loss, clusters, confirming)
    p_values = half.p_values([rows_of(features.codes[confirming], each.conditions) for each in found])
    tested = [
        _tested(half, features, each, p, cluster, level)
        for each, p, name in zip(found, p_values, already, strict=True)
        if name is None
    ]
    return DiscoveryResult(
        candidates=_adjusted(tested, spec.false_discovery_rate),
        declared=tuple(name for name in already if name is not None),
        columns=features.columns,
        skipped=features.skipped,
        rows_searched=len(searched),
        rows_confirming=len(confirming),
        false_discovery_rate=spec.false_discovery_rate,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirming:
    """The confirming half: its part of the table with losses and clusters, and its row numbers in the whole."""

    table: pd.DataFrame
    loss: NDArray[np.float64]
    clusters: NDArray[np.int64] | None
    rows: NDArray[np.int64]

    @classmethod
    def of(
        cls, table: pd.DataFrame, loss: NDArray[np.float64], clusters: NDArray[np.int64] | None, rows: NDArray[np.int64]
    ) -> _Confirming:
        own = None if clusters is None else clusters[rows]
        return cls(table=table.iloc[rows], loss=loss[rows], clusters=own, rows=rows)

    def p_values(self, finds: Sequence[NDArray[np.bool_]]) -> list[float]:
        """One a find, given by its rows [n], in the order in which they were found.

        Each is the larger of two: that it loses more than all other rows, and that it does so beyond what the finds
        before it explain. For the second only rows outside those finds are compared, or, where it lies in them
        altogether, only rows inside.
        """
        covered = np.zeros(len(self.loss), dtype=np.bool_)
        found: list[float] = []
        for inside in finds:
            outside = ~covered if (inside & ~covered).any() else covered
            among_all = p_loses_more(self.loss, inside, self.clusters)
            own = None if self.clusters is None else self.clusters[outside]
            found.append(max(among_all, p_loses_more(self.loss[outside], inside[outside], own)))
            covered = covered | inside
        return found


def _not_searched(spec: Discovery, searched: int, confirming: int) -> DiscoveryResult:
    needed = 4 * spec.min_rows
    reason = (
        f"the smaller half has {min(searched, confirming)} rows; a search with min_rows {spec.min_rows} needs "
        f"{needed // 2} in each, {needed} in all"
    )
    return DiscoveryResult(
        candidates=(),
        declared=(),
        columns=(),
        skipped=(),
        rows_searched=searched,
        rows_confirming=confirming,
        false_discovery_rate=spec.false_discovery_rate,
        not_searched=NotEstimable(reason=reason, n=searched + confirming, n_needed=needed),
    )


def _rows(features: Features, found: Slice) -> NDArray[np.int64]:
    """The rows of a slice in the whole table, as a group has them."""
    return np.flatnonzero(rows_of(features.codes, found.conditions)).astype(np.int64)


def _tested(
    half: _Confirming, features: Features, found: Slice, p: float, cluster: str | None, level: float
) -> Discovered:
    """A candidate with its p-value; ``q`` and ``confirmed`` are set once all p-values are known."""
    parts = tuple((features.columns[column], features.values[column][code]) for column, code in found.conditions)
    name = group_name(*zip(*parts, strict=True))
    inside = rows_of(features.codes[half.rows], found.conditions)
    examples = half.table["row_id"].to_numpy()[inside & (half.loss > 0)][:MOST_EXAMPLES]
    return Discovered(
        name=name,
        conditions=parts,
        n_searched=found.rows,
        n_confirming=int(inside.sum()),
        gap_searched=-found.mean_loss,
        gap=_gap(half.table, FOUND + name, np.flatnonzero(inside), cluster, level),
        gap_of_others=None if inside.all() else -float(half.loss[~inside].mean()),
        p=p,
        q=p,
        confirmed=False,
        examples=tuple(map(str, examples)),
    )


def _gap(table: pd.DataFrame, name: str, rows: NDArray[np.int64], cluster: str | None, level: float) -> Measurement:
    if not len(rows):
        nothing = NotEstimable(reason="the confirming half has no such rows", n=0, n_needed=1)
        return Measurement(name=GAP, subpopulation=name, unit="share of rows", value=nothing, evidence=EVIDENCE)
    group = Group(name=name, rows=rows, margin=None, required=False)
    measured = paired_measurements(table, (group,), cluster, level)
    return next(each for each in measured if each.name == GAP and each.subpopulation == name)


def _adjusted(tested: Sequence[Discovered], rate: float) -> tuple[Discovered, ...]:
    """Benjamini–Hochberg over all that were tested; confirmed ones first, then by p."""
    if not tested:
        return ()
    adjusted = false_discovery_control([each.p for each in tested], method="bh")
    judged = [replace(each, q=float(q), confirmed=bool(q <= rate)) for each, q in zip(tested, adjusted, strict=True)]
    return tuple(sorted(judged, key=lambda each: (not each.confirmed, each.p)))
