"""curve.json: a learning curve with what it was measured on, the only input of its page."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.record.layout import RunFolder, write_json
from evalkit.stats.interval import Interval
from evalkit.stats.learning_curve import CurveReading

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOn:
    """The labelled rows on which every student of the curve is measured, none of which it learnt from.

    ``source`` is the table they come from, ``units`` the clusters among them (rows, where each stands for itself), and
    ``teacher`` the teacher's accuracy there.
    """

    source: str
    rows: int
    units: int
    clustered_by: str | None
    teacher: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherElsewhere:
    """The teacher's accuracy on the held-out set, as an earlier ``run`` has it. ``known`` says that the teacher is
    shown to be better on the measured rows, which it then has learnt; ``taken`` that the gaps are against the accuracy
    here for that reason."""

    run: str
    accuracy: Interval
    known: bool
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveRecord:
    """One learning curve. ``bar`` is the lowest gap that is allowed; ``shares`` are parts of the ``rows_at_hand``, of
    which ``unlabelled`` have no true label; ``trained_for`` says how long each student was trained. ``shown_from`` is
    the gap from which a student is shown to meet the bar with 80 % power on as many independent rows as the
    ``held_out_rows``; None where none is."""

    schema_version: int
    task: str
    spec_digest: str
    made_at: str
    bar: float
    shown_from: float | None
    held_out_rows: int
    confidence: float
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    rows_at_hand: int
    unlabelled: int
    trained_for: str
    starts_from_teacher: bool
    measured_on: MeasuredOn
    teacher_elsewhere: TeacherElsewhere | None
    reading: CurveReading


def write_curve(run: RunFolder, record: CurveRecord) -> None:
    """curve.json. Raises ValueError for a number that is none."""
    from pydantic import TypeAdapter

    write_json(run.curve, TypeAdapter(CurveRecord).dump_python(record, mode="json"))
