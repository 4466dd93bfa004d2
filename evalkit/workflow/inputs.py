"""The first stage: the tables are read, checked and counted before any model is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows, held_out_rows, held_out_units, training_rows
from evalkit.data.equal_texts import repeats, text_numbers
from evalkit.data.leakage import leakage, refuse_leakage
from evalkit.data.reading import read_table, require_columns
from evalkit.data.subpopulations import Group, Infeasible, groups_before_predictions, infeasible, refuse_infeasible
from evalkit.data.truth import RANKING
from evalkit.errors import DataError
from evalkit.record.layout import write_json
from evalkit.record.stages import file_digest
from evalkit.spec.gate import Columns
from evalkit.spec.loading import LoadedSpec
from evalkit.stats.sample_size import feasibility_floor
from evalkit.workflow.gate import Gate

VERSION = 4


@dataclass(frozen=True)
class Inputs:
    """The checked tables, read when first asked for; ``digests`` names the files they come from."""

    loaded: LoadedSpec
    digests: dict[str, str]

    @cached_property
    def held_out(self) -> Rows:
        spec = self.loaded.spec
        table = read_table(self.loaded.resolve(spec.data.held_out), "data.held_out")
        return held_out_rows(table, spec.data.columns, spec.task.labels, spec.task.kind)

    @cached_property
    def train(self) -> Rows | None:
        spec = self.loaded.spec
        if spec.data.train is None:
            return None
        table = read_table(self.loaded.resolve(spec.data.train), "data.train")
        return training_rows(table, spec.data.columns, spec.task.labels, spec.task.kind)

    @cached_property
    def production(self) -> tuple[str, ...] | None:
        spec = self.loaded.spec
        if spec.data.production is None:
            return None
        table = read_table(self.loaded.resolve(spec.data.production), "data.production")
        require_columns(table, [spec.data.columns.text], "data.production")
        return tuple(table[spec.data.columns.text].dropna().astype(str))

    @cached_property
    def units(self) -> pd.DataFrame:
        """What is judged right or wrong: one row a held-out row; in ranking one row a query."""
        return held_out_units(self.held_out, self.loaded.spec.data.columns)

    @cached_property
    def equal_texts(self) -> NDArray[np.int64] | None:
        """Numbers rows of equal text alike [n]; None where no two are equal, and in ranking, whose items recur."""
        rows = self.held_out
        return None if rows.kind == RANKING else text_numbers(rows.texts)

    @cached_property
    def text_clusters(self) -> NDArray[np.int64] | None:
        """The same where equal texts are the clusters: the spec does not say which rows belong together."""
        return self.equal_texts if self.loaded.spec.data.columns.cluster is None else None

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The declared groups that are known before the models answer, as large as they are."""
        spec = self.loaded.spec
        return groups_before_predictions(
            self.units,
            spec.subpopulations.by,
            spec.requirements.quality.subpopulation_margin,
            columns=spec.data.columns,
            kind=spec.task.kind,
        )

    @cached_property
    def too_small(self) -> tuple[Infeasible, ...]:
        """The groups too small to pass at any look. Which look this is, and so its own stricter confidence, depends on
        the versions of both models, which are not known before they are made and have answered: groups that are too
        small at that confidence alone are refused then (``evalkit.workflow.grouping.refuse_small``)."""
        spec = self.loaded.spec
        return infeasible(self.groups, spec.requirements.confidence, spec.subpopulations.minimum_rows)


def check_inputs(gate: Gate) -> tuple[Inputs, dict[str, Any]]:
    """Reads, checks and counts the tables. Raises DataError before anything expensive starts."""
    inputs = Inputs(loaded=gate.loaded, digests=_digests(gate.loaded))
    spec = gate.spec

    def work(folder: Path) -> None:
        write_json(folder / "data.json", _checked(inputs))

    result = gate.stage(
        "data",
        VERSION,
        {
            "digests": inputs.digests,
            "columns": spec.data.columns.model_dump(),
            "labels": spec.task.labels,
            "kind": spec.task.kind,
            "max_leakage": spec.data.max_leakage,
            "subpopulations": spec.subpopulations.model_dump(),
            "margins": spec.requirements.quality.model_dump(),
            "confidence": spec.requirements.confidence,
            "discovery": spec.discovery.model_dump() if spec.discovery else None,
        },
        work,
    )
    counted: dict[str, Any] = result.read("data.json")
    return inputs, counted


def _digests(loaded: LoadedSpec) -> dict[str, str]:
    data = loaded.spec.data
    named = {"held_out": data.held_out, "train": data.train, "production": data.production}
    digests = {}
    for name, path in named.items():
        if path is not None:
            full = loaded.resolve(path)
            if not full.is_file():
                raise DataError(f"data.{name} {full} does not exist; correct the path in {loaded.path}")
            digests[name] = file_digest(full)
    return digests


def _checked(inputs: Inputs) -> dict[str, Any]:
    spec = inputs.loaded.spec
    held_out, train = inputs.held_out, inputs.train
    _refuse_overall_infeasible(len(inputs.units), inputs)
    if spec.subpopulations.small == "block":
        refuse_infeasible(inputs.too_small)
    if spec.discovery is not None and spec.discovery.columns is not None:
        named = [column for column in spec.discovery.columns if not column.startswith("@")]
        require_columns(inputs.units, named, "discovery.columns: data.held_out")
    counted: dict[str, Any] = {
        "held_out_rows": len(held_out),
        "units": len(inputs.units),
        "held_out_by_label": _by_label(held_out, spec.task.labels),
    }
    if held_out.kind != RANKING:
        cluster = spec.data.columns.cluster
        stated = None if cluster is None else held_out.table[cluster]
        counted["equal_texts"] = asdict(repeats(inputs.equal_texts, held_out.truth, stated))
    if train is not None:
        found = leakage(
            _asked(train, spec.data.columns, "data.train"), _asked(held_out, spec.data.columns, "data.held_out")
        )
        refuse_leakage(found, spec.data.max_leakage)
        counted["train_rows"] = len(train)
        counted["train_unlabelled_rows"] = int((train.labels < 0).sum())
        counted["leakage"] = {**asdict(found), "share": found.share}
    if inputs.production is not None:
        counted["production_rows"] = len(inputs.production)
    return counted


def _asked(rows: Rows, columns: Columns, name: str) -> Sequence[str]:
    """What must not be known from training: the texts; in ranking the queries, since items recur by nature."""
    if columns.query is None:
        return rows.texts
    require_columns(rows.table, [columns.query], name)
    return tuple(rows.table[columns.query].dropna().astype(str).unique())


def _refuse_overall_infeasible(units: int, inputs: Inputs) -> None:
    bar = inputs.loaded.spec.requirements
    if bar.quality.overall_margin is None:
        return
    needed = feasibility_floor(bar.quality.overall_margin, bar.confidence)
    if units < needed:
        counted = "queries" if inputs.held_out.kind == "ranking" else "rows"
        raise DataError(
            f"data.held_out has {units} {counted}; no student can be shown within "
            f"requirements.quality.overall_margin {bar.quality.overall_margin:g} on fewer than {needed}. "
            "Collect more or widen the margin"
        )


def _by_label(rows: Rows, labels: tuple[str, ...]) -> dict[str, int]:
    if rows.kind == "multilabel":
        answers = [set(str(truth).split("|")) for truth in rows.truth]
        return {label: sum(label in each for each in answers) for label in labels}
    return {label: int((rows.labels == index).sum()) for index, label in enumerate(labels)}
