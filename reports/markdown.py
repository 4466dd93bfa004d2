"""The verdict as Markdown, for a terminal or a pull request: the same facts as the page, from the same views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.record.override import Override
from evalkit.record.run_record import RunRecord
from reports.view import Page, page_of

SPECIAL = "\\`*_{}[]<>#|~"
MENTION = "@\u200b"  # nobody is called to a pull request by what a user wrote
NO_NOTE = "none"
CHANCE = "A number decides its claim with 80 % chance, if what was observed is true."


def render_markdown(record: RunRecord, overrides: Sequence[Override] = ()) -> str:
    """The record as one Markdown document."""
    page = page_of(record, overrides)
    parts = (
        _top(page),
        _validity(page),
        _claims(page),
        _groups(page),
        _discovered(page),
        _metrics(page),
        _sides(page),
        _loads(page),
        _instances(page),
        _cascade(page),
        _controls(page),
        _diagnosis(page),
        _repeat(page),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _top(page: Page) -> str:
    head, binding = page.headline, page.binding
    lines = [
        f"# {head.state.icon} {head.state.word}: {escaped(head.task)}",
        escaped(head.why),
        *(
            f"**{each.title}: {each.state.text}** by {escaped(each.by)}, {escaped(each.at)}. {escaped(each.reason)} "
            f"{escaped(each.standing)}"
            for each in page.overrides
        ),
        f"**Recommendation.** {escaped(head.recommendation)}",
        f"**What decided:** {escaped(binding.title)}. {' '.join(escaped(each) for each in binding.sentences)}",
        _list(binding.facts),
        f"**What would have changed the verdict.** {escaped(' '.join(binding.fragility))}" if binding.fragility else "",
        f"{escaped(head.tally)}.",
        _list(head.facts),
    ]
    if page.open_claims:
        lines += ["## What would settle the open claims", CHANCE, _list(page.open_claims)]
    return "\n\n".join(line for line in lines if line)


def _validity(page: Page) -> str:
    rows = [(each.state.text, each.name, each.text) for each in page.validity]
    return "## Can the comparison be believed?\n\n" + table(("state", "what", "found"), rows)


def _claims(page: Page) -> str:
    rows = [
        (each.state.text, each.what, each.measured, each.required, each.share_of_margin, each.note or NO_NOTE)
        for each in page.claims
    ]
    return "## Claims\n\n" + table(("state", "claim", "measured", "required", "share of margin", "note"), rows)


def _groups(page: Page) -> str:
    headings = (
        "state",
        "subpopulation",
        page.units,
        "teacher",
        "student",
        "gap",
        "allowed",
        "share of margin",
        "p equal",
        "note",
    )
    rows = [
        (
            each.state.text, each.name, each.rows, each.teacher, each.student, each.gap, each.allowed,
            each.share_of_margin, each.equality, each.note or NO_NOTE,
        )
        for each in page.groups
    ]  # fmt: skip
    return f"## Every subpopulation\n\n{escaped(page.group_tally)}\n\n{table(headings, rows)}"


def _discovered(page: Page) -> str:
    parts = ["## Subpopulations that nobody declared", escaped(page.discovery.said)]
    if page.discovery.left_out:
        parts.append(escaped(page.discovery.left_out))
    if page.discovery.found:
        headings = (
            "state", "subpopulation", page.units, "gap", f"the other {page.units}", "q", f"{page.units} to look at",
        )  # fmt: skip
        rows = [
            (each.state.text, each.name, each.rows, each.gap, each.others, each.q, each.examples)
            for each in page.discovery.found
        ]
        parts.append(table(headings, rows))
    return "\n\n".join(parts)


def _metrics(page: Page) -> str:
    if not page.metrics:
        return ""
    headings = ("metric", "teacher", "student", "student − teacher", "better", "unit", "interval")
    rows = [
        (each.name, each.teacher, each.student, each.gap, each.better, each.unit, each.method) for each in page.metrics
    ]
    return f"## Other metrics\n\n{table(headings, rows)}"


def _sides(page: Page) -> str:
    rows = [(each.what, each.teacher, each.student, each.comparison) for each in page.side_by_side.lines]
    notes = "\n".join(f"- {escaped(each)}" for each in page.side_by_side.load + page.side_by_side.prices)
    return f"## Size, latency and cost\n\n{table(('quantity', 'teacher', 'student', 'compared'), rows)}\n\n{notes}"


def _instances(page: Page) -> str:
    if not page.instances:
        return ""
    headings = ("model", "machine", "USD an hour", "requests a second", "speed", "USD per million requests", "price")
    rows = [
        (each.role, each.name, each.usd_per_hour, each.rate, each.speed, each.usd_per_million, each.source)
        for each in page.instances
    ]
    return f"### Other machines\n\n{table(headings, rows)}"


def _cascade(page: Page) -> str:
    if page.cascade is None:
        return ""
    parts = ["## The student first, the teacher where it is unsure", escaped(page.cascade.said)]
    if page.cascade.rows:
        headings = (
            "quality", "threshold", "sent to the teacher", "gap", "p99", "USD per million requests", "cheaper"
        )  # fmt: skip
        rows = [
            (
                each.state.text, each.threshold, each.share, each.gap, each.p99, each.usd_per_million, each.reduction,
            )
            for each in page.cascade.rows
        ]  # fmt: skip
        parts.append(table(headings, rows))
    return "\n\n".join(parts)


def _controls(page: Page) -> str:
    if page.controls is None:
        return ""
    headings = ("state", "model", "accuracy", "the student's gain over it", "trainings", "each on")
    rows = [
        (each.state.text, each.what, each.accuracy, each.gain, each.trainings, each.budget)
        for each in page.controls.rows
    ]
    parts = ["## What did distilling gain?", f"**{escaped(page.controls.meaning)}** {escaped(page.controls.said)}"]
    return "\n\n".join([*parts, table(headings, rows)])


def _loads(page: Page) -> str:
    parts = []
    for each in page.loads:
        parts += [f"### Under load: the {each.role}", _list(each.facts)]
        if each.tags:
            headings = ("requests of", "requests", "failed", "p50", "p95", "p99")
            rows = [(tag.name, tag.requests, tag.failed, tag.p50, tag.p95, tag.p99) for tag in each.tags]
            parts += [table(headings, rows), escaped(each.tags_left_out)]
    return "\n\n".join(part for part in parts if part)


def _diagnosis(page: Page) -> str:
    found = [(each.state.text, each.failure_mode, each.explanation, each.practice) for each in page.findings]
    parts = [
        "## How the student differs from its teacher",
        _list([(each.what, each.value) for each in page.fidelity]),
    ]
    if found:
        parts.append(table(("state", "failure mode", "evidence", "what to do"), found))
    parts.append(_list([(f"{each.failure_mode}: not looked for", each.why) for each in page.not_looked_for]))
    if page.examples:
        lost = [(each.row_id, each.text, each.label, each.teacher, each.student) for each in page.examples]
        parts.append(
            f"{page.units.capitalize()} that the teacher gets right and the student wrong, "
            f"{escaped(page.examples[0].where)}:"
        )
        parts.append(table(("id", "text", "label", "teacher", "student"), lost))
    return "\n\n".join(parts)


def _repeat(page: Page) -> str:
    again = page.reproduction
    stages = [(each.name, each.seconds, each.finished_at, each.how, each.key) for each in again.stages]
    parts = [
        "## How to repeat it",
        f"    {again.command}",
        _list(again.facts + again.digests + again.hardware),
        escaped(again.packages),
        table(("stage", "took", "finished", "in this run", "key"), stages),
    ]
    return "\n\n".join(parts)


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in pairs)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose cells hold text, whatever is in it.

    >>> print(table(("a", "b"), [("1|2", "x\\ny")]))
    | a | b |
    |---|---|
    | 1\\|2 | x y |
    """
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """A text on one line in which Markdown and HTML see nothing of theirs.

    >>> print(escaped("<b> a_b"))
    \\<b\\> a\\_b
    """
    spaced = " ".join(text.split()).replace("@", MENTION)
    return "".join(f"\\{each}" if each in SPECIAL else each for each in spaced)
