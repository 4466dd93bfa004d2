"""What can be known of a gate before it runs: its claims, its rows, and answers that are already recorded."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path

import pandas as pd

from evalkit.data.dataset import held_out_units, is_own
from evalkit.data.derived import ROLES
from evalkit.data.label_sets import SEPARATOR
from evalkit.data.reading import require_columns
from evalkit.data.truth import CLASSIFICATION, MULTILABEL
from evalkit.planning.assumptions import Assumptions
from evalkit.planning.candidate import TaskShape
from evalkit.planning.question import Question
from evalkit.planning.rates import NOTHING, Observed
from evalkit.predictions.aligned import STUDENT, TEACHER, aligned_table
from evalkit.predictions.recorded import read_recorded
from evalkit.predictions.units import unit_table
from evalkit.quality.paired_gap import right
from evalkit.record.looks import confidence_of, looks_at, plan_of, refuse_changed_plan
from evalkit.record.stages import file_digest
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import LoadedSpec
from evalkit.spec.subpopulations import Subpopulation
from evalkit.stats.quantiles import requests_needed
from evalkit.workflow.check import default_run_folder
from evalkit.workflow.earlier_runs import EarlierAnswers, earlier_answers
from evalkit.workflow.grouping import Grouping, claims_of, grouping_of, refuse_unasked
from evalkit.workflow.inputs import Inputs

P99 = 0.99


class Known:
    """What can be known before the gate runs: the tables, recorded answers, earlier runs in the workspace."""

    def __init__(self, *, loaded: LoadedSpec) -> None:
        self.loaded = loaded
        self.inputs = Inputs(loaded=loaded, digests={})
        self.workspace = default_run_folder(loaded).parent

    @property
    def spec(self) -> GateSpec:
        return self.loaded.spec

    @cached_property
    def held_out_digest(self) -> str:
        rows = self.inputs.held_out  # says what is wrong where the file is not there
        assert len(rows)
        return file_digest(self.loaded.resolve(self.spec.data.held_out))

    def question(self, assumptions: Assumptions) -> Question:
        """The claims on the rows at hand, as the gate will make them."""
        refuse_unasked(self.spec, self.inputs.groups)
        confidence, exhausted = self._confidence
        cluster = self.spec.data.columns.cluster
        if cluster is not None:
            require_columns(self.units, [cluster], "data.held_out")
        return Question(
            claims=claims_of(self.spec, self._grouping),
            groups=self._grouping.groups,
            rows=len(self.units),
            clusters=self.inputs.text_clusters
            if cluster is None
            else pd.factorize(self.units[cluster], use_na_sentinel=False)[0],
            confidence=confidence,
            observed=self.observed,
            assumptions=assumptions,
            weighted=self._grouping.weighted,
            minimum_rows=self.spec.subpopulations.minimum_rows,
            blocked=(*exhausted, *(_unknown(each) for each in self._not_yet if each.requires_something)),
        )

    @cached_property
    def observed(self) -> Observed:
        """Who was right on each unit, by role, where that is recorded."""
        if not self._roles:
            return NOTHING
        hits = {role: right(self.units, role) for role in self._roles}
        return Observed(
            source=" and ".join(f"the {role}'s answers from {source}" for role, source in self._roles.items()),
            teacher=hits.get(TEACHER),
            student=hits.get(STUDENT),
        )

    @cached_property
    def units(self) -> pd.DataFrame:
        """One row a unit, with the answers that are there."""
        rows, columns = self.inputs.held_out, self.spec.data.columns
        if not self._roles:
            return held_out_units(rows, columns)
        answers = {role: self._answers(role) for role in self._roles}
        there = next(iter(self._roles))
        for role in (TEACHER, STUDENT):  # the other's answers only fill the column; nobody reads them
            if role not in answers:
                answers[role] = answers[there][[there]].rename(columns={there: role})
        base = pd.DataFrame({"row_id": rows.ids, "row_label": rows.truth})
        table = pd.concat([base, answers[TEACHER], answers[STUDENT]], axis=1)
        own = rows.table[[name for name in rows.table.columns if not is_own(str(name))]]
        return unit_table(pd.concat([table, own], axis=1), self.spec.task.kind, columns.query)

    @cached_property
    def shape(self) -> TaskShape:
        """How broad the task is."""
        kind, labels = self.spec.task.kind, self.spec.task.labels
        truth = self.units["row_label"].astype(str)
        labelled = kind in (CLASSIFICATION, MULTILABEL)
        counted = Counter(part for cell in truth for part in cell.split(SEPARATOR)) if labelled else Counter()
        train = self.inputs.train if kind == CLASSIFICATION else None
        return TaskShape(
            kind=kind,
            held_out_by_label={label: counted[label] for label in labels},
            train_by_label=None
            if train is None
            else {label: int((train.labels == index).sum()) for index, label in enumerate(labels)},
            majority_share=float(truth.value_counts().iloc[0] / len(truth)) if labelled else None,
        )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the plan should know beside the figures."""
        spec = self.spec
        notes = [*self._earlier.passed_over]
        notes += [
            f"{role}.recorded {self._recorded(role)} does not exist yet; its answers are unknown"
            for role in (TEACHER, STUDENT)
            if role not in self._roles and self._recorded(role) is not None
        ]
        notes += [_unknown(each) for each in self._not_yet if not each.requires_something]
        if self.inputs.text_clusters is not None:
            notes.append(
                "rows of equal text count as one cluster, since data.columns.cluster does not say which rows belong "
                "together"
            )
        if spec.discovery is not None:
            notes.append("subpopulations that the search may find are not planned: nobody knows them yet")
        if spec.load is not None and spec.requirements.latency.p99_ms is not None:
            sent, needed = spec.load.rate_rps * spec.load.duration_s, requests_needed(P99, spec.requirements.confidence)
            if sent < needed:
                notes.append(
                    f"requirements.latency.p99_ms needs at least {needed} requests, and load sends about {sent:.0f}: "
                    "raise load.duration_s"
                )
        return tuple(notes)

    @cached_property
    def _earlier(self) -> EarlierAnswers:
        return earlier_answers(self.workspace, self.held_out_digest, self.inputs.held_out)

    @cached_property
    def _roles(self) -> dict[str, str]:
        """Where each role's answers are known from; a role that has not answered is not in it."""
        roles = {}
        for role in (TEACHER, STUDENT):
            recorded = self._recorded(role)
            if recorded is not None and recorded.is_file():
                roles[role] = recorded.name
            elif self._earlier.table is not None:
                roles[role] = f"run {self._earlier.source}"
        return roles

    def _recorded(self, role: str) -> Path | None:
        stated = self.spec.teacher.recorded if role == TEACHER else self.spec.student.recorded
        return None if stated is None else self.loaded.resolve(stated)

    def _answers(self, role: str) -> pd.DataFrame:
        """The role's column of answers, and of probabilities where there are any."""
        rows, spec, recorded = self.inputs.held_out, self.spec, self._recorded(role)
        if recorded is not None and recorded.is_file():
            answers = read_recorded(recorded, role, spec.data.columns.id, rows, spec.task.labels)
            table = aligned_table(rows, spec.task.labels, answers, answers)
        else:
            assert self._earlier.table is not None
            table = self._earlier.table
        own = [name for name in table.columns if name == role or name.startswith(f"{role}_probability_")]
        return table[own].reset_index(drop=True)

    @cached_property
    def _not_yet(self) -> tuple[Subpopulation, ...]:
        """Groupings by answers that are not there yet."""
        return tuple(
            grouping
            for grouping in self.spec.subpopulations.by
            if any(ROLES[column] not in self._roles for column in grouping.columns if column in ROLES)
        )

    @cached_property
    def _grouping(self) -> Grouping:
        """The declared groups that are known, as the gate will judge them."""
        known = [each for each in self.spec.subpopulations.by if each not in self._not_yet]
        return grouping_of(self.spec, self.units, self._confidence[0], known)

    @cached_property
    def _confidence(self) -> tuple[float, tuple[str, ...]]:
        """The one-sided confidence of the next look at the held-out set, and why there may be no more."""
        bar = self.spec.requirements
        planned = plan_of(bar.confidence, bar.looks)
        past = looks_at(self.workspace, self.held_out_digest)
        refuse_changed_plan(past, planned)
        granted = confidence_of(len(past) + 1, bar.confidence, planned)
        if granted is not None:
            return granted, ()
        return bar.confidence, (
            f"all {len(past)} planned looks at data.held_out are used (requirements.looks); hold out new rows",
        )


def _unknown(grouping: Subpopulation) -> str:
    return (
        f"groups by {' × '.join(grouping.columns)} are known only once the models have answered; give teacher.recorded "
        "and student.recorded, or run the gate once and plan again"
    )
