"""The ladder's record is put together from what the gates of its rungs left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.decision.pareto import Candidate, Place, objectives_of, places
from evalkit.decision.requirement import STUDENT_P50, STUDENT_P99
from evalkit.decision.smallest import Named, judged, smallest_in_sequence, smallest_of_planned, together
from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.over_compression import Rung, over_compression
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import GAP, equal, is_shown_better, right
from evalkit.quality.with_the_best import Standing, differences, with_the_best
from evalkit.record.ladder_record import SCHEMA_VERSION, Figures, LadderRecord, RungLine
from evalkit.record.layout import RunFolder
from evalkit.record.run_record import RunRecord
from evalkit.spec.gate import OUTSIDE
from evalkit.spec.loading import LoadedSpec
from evalkit.spec.rungs import RungShape
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS
from evalkit.workflow.inputs import Inputs

NOT_MEASURED = NotEstimable(reason="not measured", n=0)
P50, P99, COST, SIZE = "p50_ms", "p99_ms", "usd_per_million", "parameters"
OBJECTIVES = {P50: "p50", P99: "p99", COST: "cost", SIZE: "size"}

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbed:
    """One rung when its gate is through."""

    shape: RungShape
    run: RunFolder
    record: RunRecord
    parameters: int


def put_ladder_together(
    loaded: LoadedSpec,
    climbed: Sequence[Climbed],
    *,
    margin: float,
    confidence: float,
    digest: str,
    recorded_at: str,
    decided_at: str,
    command: str,
) -> LadderRecord:
    """Names who is to be named, and says by which rule. ``confidence`` is that of each rung's claims."""
    rungs = sorted(climbed, key=lambda each: each.parameters)
    tables = [pd.read_parquet(each.run.predictions) for each in rungs]
    asked = loaded.spec.requirements
    hits = np.stack([right(table, STUDENT) for table in tables])
    clusters = _clusters(loaded, tables[0])
    standings = with_the_best(hits, clusters, margin, asked.confidence)
    found, objectives = _front(rungs, hits, clusters, asked.confidence)
    findings = _findings(rungs, tables, asked.confidence)
    candidates = [judged(each.shape.name, each.record.verdict) for each in reversed(rungs) if not each.shape.is_control]
    smallest_go = smallest_in_sequence(candidates) if asked.looks is None else smallest_of_planned(candidates)
    return LadderRecord(
        schema_version=SCHEMA_VERSION,
        task=loaded.spec.task.name,
        outcome=together(candidates, smallest_go),
        rungs=tuple(
            _line(each, standing, place, finding)
            for each, standing, place, finding in zip(rungs, standings, found, findings, strict=True)
        ),
        teacher=_figures(rungs[0].record, TEACHER),
        smallest_go=smallest_go,
        smallest_as_good=_smallest_as_good(rungs, standings, margin),
        margin=margin,
        asked_confidence=asked.confidence,
        confidence=confidence,
        methods=_methods(loaded, len(rungs), confidence, objectives),
        objectives=objectives,
        rows=hits.shape[1],
        verdicts_before=_verdicts_before(rungs),
        spec_digest=loaded.digest,
        ladder_digest=digest,
        recorded_at=recorded_at,
        decided_at=decided_at,
        command=command,
    )


def _clusters(loaded: LoadedSpec, table: pd.DataFrame) -> NDArray[np.int64] | None:
    """Which rows belong together, [n]: as the gate of each rung took it."""
    cluster = loaded.spec.data.columns.cluster
    if cluster is None:
        return Inputs(loaded=loaded, digests={}).text_clusters
    return np.asarray(pd.factorize(table[cluster])[0], dtype=np.int64)


def _line(climbed: Climbed, standing: Standing, place: Place, finding: Finding | None) -> RungLine:
    record, verdict = climbed.record, judged(climbed.shape.name, climbed.record.verdict)
    return RungLine(
        name=climbed.shape.name,
        is_control=climbed.shape.is_control,
        run=climbed.run.root.name,
        spec_digest=record.signature.spec_digest,
        look=record.looks.number,
        figures=replace(_figures(record, STUDENT), parameters=climbed.parameters),
        gap=_measured(record, GAP),
        outcome=verdict.outcome,
        is_good=verdict.is_good,
        why=verdict.why,
        less_best=standing.less_best,
        not_inferior=standing.not_inferior,
        may_be_best=standing.may_be_best,
        place=place,
        finding=finding,
    )


def _figures(record: RunRecord, role: str) -> Figures:
    model = next(each for each in record.models if each.role == role)
    return Figures(
        parameters=model.parameters,
        megabytes=model.megabytes,
        accuracy=_measured(record, f"{role}_accuracy"),
        p50_ms=_measured(record, f"{role}_{P50}"),
        p99_ms=_measured(record, f"{role}_{P99}"),
        usd_per_million=_measured(record, f"{role}_usd_per_million_requests"),
    )


def _measured(record: RunRecord, name: str) -> Estimate:
    return next(
        (each.value for each in record.measurements if each.name == name and each.subpopulation == ALL_ROWS),
        NOT_MEASURED,
    )


def _front(
    rungs: Sequence[Climbed], hits: BoolArray, clusters: NDArray[np.int64] | None, confidence: float
) -> tuple[tuple[Place, ...], tuple[str, ...]]:
    """Where each rung stands, and on which objectives. The size stands in for a latency that nobody measured."""
    candidates = [
        Candidate(name=each.shape.name, accuracy=float(hits[at].mean()), prices=_prices(each))
        for at, each in enumerate(rungs)
    ]
    if not {P50, P99} & set(objectives_of(candidates)):
        candidates = [
            replace(each, prices={**each.prices, SIZE: _certain(rung.parameters)})
            for each, rung in zip(candidates, rungs, strict=True)
        ]
    pairs = len(rungs) * (len(rungs) - 1)
    of_pairs = differences(hits, clusters, 1.0 - 2.0 * (1.0 - confidence) / pairs)
    return places(candidates, of_pairs), ("accuracy", *objectives_of(candidates))


def _prices(climbed: Climbed) -> Mapping[str, Estimate]:
    return {
        P50: _measured(climbed.record, STUDENT_P50),
        P99: _measured(climbed.record, STUDENT_P99),
        COST: _measured(climbed.record, f"{STUDENT}_usd_per_million_requests"),
    }


def _certain(count: int) -> Interval:
    return Interval(point=count, lower=count, upper=count, level=1.0, n=1, method="counted")


def _findings(
    rungs: Sequence[Climbed], tables: Sequence[pd.DataFrame], confidence: float
) -> tuple[Finding | None, ...]:
    """Why each rung does not follow its teacher, read off the rungs that are made the same way: cut from the teacher,
    or from scratch. Intervals are at Bonferroni's level over the rungs. None where no training text was answered. As in
    each rung's own diagnosis, held-out rows that the teacher answers outside the labels are left out."""
    tables = [each[each[TEACHER] != OUTSIDE] for each in tables]
    made = [_rung(each, table) for each, table in zip(rungs, tables, strict=True)]
    level = 1.0 - 2.0 * (1.0 - confidence) / len(rungs)
    found: list[Finding | None] = []
    for at, climbed in enumerate(rungs):
        this = made[at]
        alike = [
            (other, rung)
            for other, rung in zip(rungs, made, strict=True)
            if rung is not None and other is not climbed and other.shape.is_cut == climbed.shape.is_cut
        ]
        control = next((rung for other, rung in alike if other.shape.is_control), None)
        found.append(
            None
            if this is None or climbed.shape.is_control
            else over_compression(
                this,
                level,
                ladder=[rung for other, rung in alike if not other.shape.is_control],
                control=control,
                held_out_ids=[str(each) for each in tables[at]["row_id"]],
                is_better=is_shown_better(climbed.record.measurements),
            )
        )
    return tuple(found)


def _rung(climbed: Climbed, table: pd.DataFrame) -> Rung | None:
    """What the diagnosis of its own run kept: agreement on the same training texts for every rung."""
    stage = next((each for each in climbed.record.stages if each.name == "diagnosis"), None)
    if stage is None:
        return None
    path = climbed.run.stage(stage.name, stage.key) / "agreement.parquet"
    if not path.is_file():
        return None
    taught = pd.read_parquet(path)
    return Rung(
        name=climbed.shape.name,
        parameters=climbed.parameters,
        train=equal(taught[TEACHER], taught[STUDENT]),
        held_out=equal(table[TEACHER], table[STUDENT]),
    )


def _smallest_as_good(rungs: Sequence[Climbed], standings: Sequence[Standing], margin: float) -> Named:
    for climbed, standing in zip(rungs, standings, strict=True):
        lost = standing.less_best
        if standing.not_inferior and isinstance(lost, Interval):
            return Named(
                name=climbed.shape.name,
                reason=f"shown to lose less than {100 * margin:g} points against the best of the other rungs: "
                f"{100 * lost.point:+.1f} ({100 * lost.lower:+.1f} to {100 * lost.upper:+.1f})".replace("-", "−"),
            )
    reasons = {each.less_best.reason for each in standings if isinstance(each.less_best, NotEstimable)}
    why = "; ".join(sorted(reasons)) or f"no rung is shown to lose less than {100 * margin:g} points against the best"
    return Named(name=None, reason=why)


def _verdicts_before(rungs: Sequence[Climbed]) -> int:
    """Verdicts that these rows gave before and beside the rungs of this ladder."""
    own = {each.record.signature.spec_digest for each in rungs}
    past = {look.question: look for each in rungs for look in each.record.looks.earlier}
    return sum(1 for question, look in past.items() if look.outcomes and question.spec not in own)


def _methods(loaded: LoadedSpec, rungs: int, confidence: float, objectives: Sequence[str]) -> tuple[str, ...]:
    asked = loaded.spec.requirements
    if asked.looks is not None:
        naming = (
            f"May replace the teacher: each rung is one of {asked.looks.planned} planned looks, which share the error "
            f"of {asked.confidence:.4g} confidence; the smallest GO is named."
        )
    else:
        split = "" if confidence == asked.confidence else ", half of the error for answers, half for latency and cost"
        naming = (
            f"May replace the teacher: fixed-sequence test from the largest rung to the smallest, ended by the first "
            f"that is not shown to be good enough (Maurer, Hothorn, Lehmacher 1995). Each rung's claims are at "
            f"{confidence:.4g} confidence{split}, so that a rung that may not is named with at most "
            f"{1 - asked.confidence:.2g} chance."
        )
    best = (
        f"As good as the best: Hsu's comparison with the best (1984) on paired rows, {asked.confidence:.4g} confidence "
        f"for all {rungs} rungs together. An upper end of 0 says that a rung is shown not to be the best."
    )
    named = [OBJECTIVES.get(each, each) for each in objectives]
    measured = [OBJECTIVES[each] for each in objectives if each in (P50, P99, COST)]
    overlap = (
        f"; in {', '.join(measured)} where the intervals of both rungs, at {confidence:.4g} confidence an end, do not "
        "overlap, not corrected further"
    )
    front = (
        f"Front of {', '.join(named)}: a rung is beaten where another is shown to be better in each of them: in "
        f"accuracy by paired intervals at Bonferroni's level over {rungs * (rungs - 1)} ordered pairs"
        f"{overlap if measured else ''}."
    )
    drawn = "All of it is over rows and requests, about these trained students: another seed gives another student."
    return naming, best, front, drawn
