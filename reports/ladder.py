"""A ladder of students as a table and a page: what each came to, who is named, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalkit.decision.pareto import Front
from evalkit.decision.smallest import Named
from evalkit.record.ladder_record import Figures, LadderRecord, RungLine
from evalkit.stats.interval import Estimate, Interval
from reports import numbers
from reports.diagnosis import FindingView, finding_view
from reports.html import TEMPLATES
from reports.ladder_chart import ladder_charts
from reports.line import NOT_MEASURED
from reports.naming import with_interval
from reports.states import VERDICTS, State
from reports.words import one_line, sentence

QUALITY = (
    "verdict",
    "rung",
    "parameters",
    "accuracy",
    "gap to the teacher, points",
    "gap to the best other, points",
    "on the front?",
)
SERVING = ("rung", "p50", "p99", "USD per million requests")
OBJECTIVES = {"p50_ms": "p50", "p99_ms": "p99", "usd_per_million": "cost", "parameters": "size"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RungView:
    """One row of both tables. ``state`` is None for the teacher, which is beside the ladder; ``quality`` follows
    ``QUALITY`` from the third column on, ``serving`` follows ``SERVING`` from the second on."""

    state: State | None
    name: str
    note: str
    quality: tuple[str, ...]
    serving: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderView:
    """One ladder, top to bottom. ``missing`` are reasons that the tables have no room for;
    ``is_served`` says whether latency or cost was asked for at all."""

    state: State
    task: str
    named: tuple[tuple[str, str], ...]
    rungs: tuple[RungView, ...]
    is_served: bool
    missing: tuple[str, ...]
    findings: tuple[tuple[str, FindingView], ...]
    methods: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def ladder_view(record: LadderRecord) -> LadderView:
    """Everything that is said of a ladder."""
    return LadderView(
        state=VERDICTS[record.outcome],
        task=record.task,
        named=(
            ("The smallest that may replace the teacher", _named(record.smallest_go)),
            (
                f"The smallest as good as the best, {numbers.stated(100 * record.margin)} points allowed",
                _named(record.smallest_as_good),
            ),
        ),
        rungs=(*(_rung(each) for each in record.rungs), _teacher(record.teacher)),
        is_served=any(_is_served(each.figures) for each in record.rungs),
        missing=_missing(record),
        findings=tuple((each.name, finding_view(each.finding)) for each in record.rungs if each.finding is not None),
        methods=record.methods,
        facts=_facts(record),
    )


def render_ladder(record: LadderRecord) -> str:
    """The ladder as one HTML page, with style and drawings inline."""
    return TEMPLATES.get_template("ladder.html").render(
        view=ladder_view(record), headings=(QUALITY, SERVING), charts=ladder_charts(record)
    )


def _named(named: Named) -> str:
    return f"{one_line(named.name or 'none')}: {one_line(named.reason)}"


def _rung(rung: RungLine) -> RungView:
    return RungView(
        state=VERDICTS[rung.outcome],
        name=one_line(rung.name),
        note=("as large as the teacher: a control, no candidate; " if rung.is_control else "") + rung.run,
        quality=(*_size(rung.figures), _points(rung.gap), _points(rung.less_best), _front(rung)),
        serving=_serving(rung.figures),
    )


def _teacher(figures: Figures) -> RungView:
    nothing = ("–", "–", "–")
    return RungView(
        state=None, name="the teacher", note="", quality=(*_size(figures), *nothing), serving=_serving(figures)
    )


def _is_served(figures: Figures) -> bool:
    values = (figures.p50_ms, figures.p99_ms, figures.usd_per_million)
    return any(isinstance(each, Interval) or each.reason != NOT_MEASURED for each in values)


def _size(figures: Figures) -> tuple[str, str]:
    parameters = "–" if figures.parameters is None else numbers.count(figures.parameters)
    return parameters, _estimate(figures.accuracy, lambda share: numbers.fixed(100 * share, 1), " %")


def _serving(figures: Figures) -> tuple[str, str, str]:
    return (
        _estimate(figures.p50_ms, numbers.significant, " ms"),
        _estimate(figures.p99_ms, numbers.significant, " ms"),
        _estimate(figures.usd_per_million, numbers.significant),
    )


def _estimate(value: Estimate, write: Callable[[float], str], unit: str = "") -> str:
    """Point and interval, or that there is none; the reason has a line of its own."""
    return f"{with_interval(value, write)}{unit}" if isinstance(value, Interval) else NOT_MEASURED


def _points(value: Estimate) -> str:
    return _estimate(value, numbers.points)


def _front(rung: RungLine) -> str:
    by = ", ".join(one_line(name) for name in rung.place.by)
    match rung.place.front:
        case Front.ON:
            return "yes"
        case Front.BEATEN:
            return f"no: beaten by {by}"
        case Front.NOT_SHOWN:
            return f"not shown: {by} is better as observed"


def _missing(record: LadderRecord) -> tuple[str, ...]:
    """Each reason why figures are not there, once, with the rungs that lack them."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for rung in record.rungs:
        for reason, figures in _reasons(rung).items():
            lacking.setdefault((", ".join(figures), reason), []).append(one_line(rung.name))
    return tuple(f"{figures} of {', '.join(rungs)}: {sentence(reason)}" for (figures, reason), rungs in lacking.items())


def _reasons(rung: RungLine) -> dict[str, list[str]]:
    """The figures that a rung lacks, by the reason."""
    stated = {
        "accuracy": rung.figures.accuracy,
        "gap": rung.gap,
        "p50": rung.figures.p50_ms,
        "p99": rung.figures.p99_ms,
        "cost": rung.figures.usd_per_million,
    }
    found: dict[str, list[str]] = {}
    for name, value in stated.items():
        if not isinstance(value, Interval) and value.reason != NOT_MEASURED:
            found.setdefault(one_line(value.reason), []).append(name)
    return found


def _facts(record: LadderRecord) -> tuple[tuple[str, str], ...]:
    before = record.verdicts_before
    objectives = ", ".join(OBJECTIVES.get(each, each) for each in record.objectives)
    return (
        ("Held-out rows", numbers.count(record.rows)),
        ("Verdicts that these rows gave to other questions before", numbers.count(before)),
        ("Objectives of the front", objectives),
        ("Asked confidence", numbers.confidence(record.asked_confidence)),
        ("Confidence of each rung's claims", numbers.confidence(record.confidence)),
        ("Specs recorded", numbers.moment(record.recorded_at)),
        ("Decided", numbers.moment(record.decided_at)),
        ("gate.yaml", numbers.digest(record.spec_digest)),
        ("Ladder", numbers.digest(record.ladder_digest)),
        ("Command", record.command),
    )
