"""The rows of what the search found, so that another student's answers can be judged on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.data.subpopulations import Group
from evalkit.quality.discovery.candidates import rows_of
from evalkit.quality.discovery.discovered import Discovered
from evalkit.quality.discovery.features import Features, Task, features_of
from evalkit.quality.discovery.halves import halves
from evalkit.spec.subpopulations import Discovery


def found_groups(
    found: Sequence[Discovered],
    table: pd.DataFrame,
    spec: Discovery,
    *,
    task: Task,
    training_texts: Sequence[str] | None = None,
    rng: np.random.Generator,
) -> tuple[Group, ...]:
    """Each find as a group of its rows in the confirming half, under the name that its gap has (``found: …``).

    Everything but ``found`` is what ``discover`` was given, ``rng`` in the same state, so that the same half is drawn.
    """
    if not found:
        return ()
    cluster = task.columns.cluster
    clusters = None if cluster is None else np.asarray(pd.factorize(table[cluster])[0], dtype=np.int64)
    _, confirming = halves(len(table), clusters, rng)
    features = features_of(table, spec, task, training_texts, rng)
    own = features.codes[confirming]
    return tuple(
        Group(
            name=each.gap.subpopulation,
            rows=confirming[rows_of(own, _numbered(each, features))],
            margin=None,
            required=False,
        )
        for each in found
    )


def _numbered(found: Discovered, features: Features) -> tuple[tuple[int, int], ...]:
    """Its conditions as numbers of columns and of their values."""
    columns = [(features.columns.index(column), value) for column, value in found.conditions]
    return tuple((column, features.values[column].index(value)) for column, value in columns)
