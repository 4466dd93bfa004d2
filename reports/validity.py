"""What must hold before any effect means something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.decision.requirement import QUERIES
from evalkit.quality.outside import OF_ROWS, WERE_RIGHT
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import LoadReport, ModelSummary, RunRecord
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS
from reports import numbers
from reports.costs import stale_text
from reports.load_lines import cores_text, drift_text, warm_up_text
from reports.looks import looks_state, looks_text
from reports.naming import estimate_text, units_of
from reports.states import BROKEN, HOLDS, LOOK, NOT_MEASURED, VOID, State
from reports.words import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One precondition: whether it holds, and the figure that says so."""

    state: State
    name: str
    text: str


def validity(record: RunRecord) -> tuple[Condition, ...]:
    """Every precondition, each with its state; one that was not looked at says so."""
    return (
        _models_differ(record),
        _pairing(record.data),
        *_outside(record),
        _leakage(record),
        *_equal_texts(record),
        Condition(state=looks_state(record.looks), name="Uses of the held-out set", text=looks_text(record.looks)),
        *(_truncated(record, model) for model in record.models),
        *(_parity(model) for model in record.models),
        *(_own_answers(model, model.batches) for model in record.models if model.batches is not None),
        *_load_conditions(record),
        *_prices(record),
        *_terms(record),
    )


def _models_differ(record: RunRecord) -> Condition:
    versions = record.signature.model_versions
    teacher, student = versions.get("teacher"), versions.get("student")
    name = "Models differ"
    if teacher is None or student is None:
        return Condition(state=NOT_MEASURED, name=name, text="a version is not recorded")
    if teacher == student:
        return Condition(state=BROKEN, name=name, text=f"both are {one_line(teacher)}")
    return Condition(state=HOLDS, name=name, text=f"teacher {one_line(teacher)}, student {one_line(student)}")


def _pairing(data: dict[str, Any]) -> Condition:
    rows, paired = data.get("held_out_rows"), data.get("rows")
    name = "Pairing complete"
    if rows is None or paired is None:
        return Condition(state=NOT_MEASURED, name=name, text="the number of paired rows is not recorded")
    text = f"both models answered {numbers.count(paired)} of {numbers.count(rows)} held-out rows"
    return Condition(state=HOLDS if rows == paired else BROKEN, name=name, text=text)


def _outside(record: RunRecord) -> Iterator[Condition]:
    """Answers that are none of the labels, which count as wrong; for the teacher, also what they may hide."""
    named = {each.name: each.value for each in record.measurements if each.subpopulation == ALL_ROWS}
    for role in ("teacher", "student"):
        share = named.get(f"{role}_{OF_ROWS}")
        if share is None:
            continue
        text = f"{estimate_text(f'{role}_accuracy', share)} of rows are answered outside the labels and count as wrong"
        gap, state = named.get(GAP.replace("accuracy", WERE_RIGHT)), LOOK
        if role == "teacher" and gap is not None:
            margin = record.spec["requirements"]["quality"]["overall_margin"]
            text += f"; had the teacher been right on all of them, the accuracy gap would be {estimate_text(GAP, gap)}"
            if margin is not None and not (isinstance(gap, Interval) and gap.lower > -margin):
                text += f", which is not shown to keep the margin of {numbers.stated(100 * margin)} points"
                state = BROKEN
        yield Condition(state=state, name=f"Answers are labels, {role}", text=text)


def _leakage(record: RunRecord) -> Condition:
    found, name = record.data.get("leakage"), "Leakage"
    if found is None:
        return Condition(state=NOT_MEASURED, name=name, text="no training table was given to compare with")
    allowed = record.spec.get("data", {}).get("max_leakage", 0.0)
    text = (
        f"{numbers.count(found['leaked'])} of {numbers.count(found['held_out'])} held-out texts "
        f"({numbers.percent(found['share'], 2)}) also stand in train; allowed {numbers.stated(100 * allowed)} %"
    )
    return Condition(state=HOLDS if found["share"] <= allowed else BROKEN, name=name, text=text)


def _equal_texts(record: RunRecord) -> Iterator[Condition]:
    """Whether rows repeat a text, and what they count for. The items of a ranking recur by nature."""
    found, name = record.data.get("equal_texts"), "Texts differ"
    if units_of(record) == QUERIES:
        return
    if found is None:
        yield Condition(state=NOT_MEASURED, name=name, text="held-out texts were not compared with each other")
        return
    cluster = record.spec.get("data", {}).get("columns", {}).get("cluster")
    text = f"{numbers.count(found['repeated'])} of {numbers.count(found['held_out'])} rows repeat another's text"
    if found["labelled_otherwise"]:
        text += f", {numbers.count(found['labelled_otherwise'])} of them with another answer"
    if found["repeated"] and cluster is None:
        text += "; equal texts count as one cluster"
    elif found["apart"]:
        text += (
            f"; {numbers.count(found['apart'])} of them lie in another cluster of {one_line(cluster)} and count as "
            "further evidence"
        )
    is_counted_for = cluster is not None and not found["apart"]
    yield Condition(state=HOLDS if is_counted_for or not found["repeated"] else LOOK, name=name, text=text)


def _truncated(record: RunRecord, model: ModelSummary) -> Condition:
    name = f"Texts whole, {model.role}"
    cut, rows = record.data.get("truncated_texts", {}).get(model.role), record.data.get("rows")
    if is_recorded(model) or cut is None or rows is None:
        return Condition(state=NOT_MEASURED, name=name, text="recorded predictions do not say what was cut")
    text = f"{numbers.count(cut)} of {numbers.count(rows)} texts were cut at the length limit"
    return Condition(state=LOOK if cut else HOLDS, name=name, text=text)


def _parity(model: ModelSummary) -> Condition:
    name, parity = f"ONNX equals torch, {model.role}", model.parity
    if parity is None:
        why = "recorded predictions, no model" if is_recorded(model) else "given as ONNX, without its torch original"
        return Condition(state=NOT_MEASURED, name=name, text=why)
    if parity.get("most_label_flips") is not None:
        return _flips(model, parity)
    difference, tolerance = parity["largest_logit_difference"], parity["tolerance"]
    text = (
        f"logits differ by at most {difference:.1e} on {numbers.count(parity['texts'])} texts "
        f"(allowed {tolerance:.0e}); {numbers.count(parity['label_flips'])} labels flip"
    )
    if difference > tolerance:
        return Condition(state=BROKEN, name=name, text=text)
    return Condition(state=LOOK if parity["label_flips"] else HOLDS, name=name, text=text)


def _flips(model: ModelSummary, parity: Mapping[str, Any]) -> Condition:
    """A precision below fp32 is held to the labels that it flips; HOLDS where the whole interval is allowed."""
    most, lower, upper = parity["most_label_flips"], parity["flips_lower"], parity["flips_upper"]
    flips, texts = numbers.count(parity["label_flips"]), numbers.count(parity["texts"])
    text = (
        f"{model.megabytes:g} MB; {flips} of {texts} labels flip ({lower:.1%} to {upper:.1%}, allowed {most:.1%}); "
        f"logits differ by at most {parity['largest_logit_difference']:.1e}"
    )
    state = BROKEN if lower > most else HOLDS if upper <= most else LOOK
    return Condition(
        state=state, name=f"{parity['precision']} equals {parity['compared_with']}, {model.role}", text=text
    )


def _own_answers(model: ModelSummary, batches: Mapping[str, Any]) -> Condition:
    """Whether a text's label depends on the texts beside it, which no user of the model can see."""
    changed, texts, rows = (numbers.count(batches[key]) for key in ("changed", "texts", "batch_rows"))
    text = (
        f"{changed} of {texts} labels change with the texts in the same batch ({batches['lower']:.1%} to "
        f"{batches['upper']:.1%} in random batches of {rows}, allowed {batches['most_label_flips']:.1%}); judged on "
        "each text alone. With int8_static, or serve.max_batch_rows: 1, none does"
    )
    return Condition(state=LOOK if batches["changed"] else HOLDS, name=f"Own answers, {model.role}", text=text)


def _load_conditions(record: RunRecord) -> Iterator[Condition]:
    if not record.loads:
        yield Condition(state=NOT_MEASURED, name="Load", text="no model was loaded, so there is no latency")
        return
    yield _provider(record)
    for load in record.loads:
        if load.latency_void:
            yield _void(f"Load, {load.role}", load.latency_void)
        else:
            yield _served_labels(load)
            yield _kept_up(load)
            yield from _steady(load)
        if load.saturation_void_reasons:
            yield _void(f"Saturation, {load.role}", load.saturation_void_reasons)


def _void(name: str, reasons: tuple[str, ...]) -> Condition:
    return Condition(state=VOID, name=name, text=" ".join(one_line(reason) for reason in reasons))


def _steady(load: LoadReport) -> Iterator[Condition]:
    """Whether one and the same server was measured from the first request to the last, on cores of its own."""
    analysis, separated = load.analysis, load.pinning.get("separated")
    if analysis is not None:
        drifted = isinstance(analysis.drift, NotEstimable) or analysis.drift.fired
        state = LOOK if drifted or analysis.warm_up.fired else HOLDS
        text = f"warm-up: {warm_up_text(load)}. Drift: {drift_text(load)}"
        yield Condition(state=state, name=f"Steady, {load.role}", text=text)
    if separated is not None:
        yield Condition(state=HOLDS if separated else LOOK, name=f"Own cores, {load.role}", text=cores_text(load))


def _provider(record: RunRecord) -> Condition:
    asked = record.spec.get("serve", {}).get("provider", "auto")
    used = {str(load.pinning.get("provider")) for load in record.loads}
    text = f"asked {asked}, ran on {', '.join(sorted(used))}"
    good = len(used) == 1 and (asked == "auto" or used == {asked})
    return Condition(state=HOLDS if good else BROKEN, name="Execution provider", text=one_line(text))


def _served_labels(load: LoadReport) -> Condition:
    name, wrong = f"Served = offline, {load.role}", load.figures.get("wrong_labels")
    if wrong is None:
        return Condition(state=NOT_MEASURED, name=name, text="served answers were not compared")
    checked = load.figures.get("checked_labels", load.requests)
    text = f"{numbers.count(wrong)} of {numbers.count(checked)} served answers differ from the offline ones"
    beside = load.limits.get("max_batch_dependent_share")
    if beside is not None:
        text += f"; up to {beside:.1%} may, by the other texts in the batch"
    return Condition(state=LOOK if wrong else HOLDS, name=name, text=text)


def _kept_up(load: LoadReport) -> Condition:
    """A load that is not void kept up: this says by how much."""
    name, figures = f"Generator kept up, {load.role}", load.figures
    achieved, lag = figures.get("achieved_ratio"), figures.get("send_lag_p99_ms")
    if achieved is None or lag is None:
        return Condition(state=NOT_MEASURED, name=name, text="the generator's own figures are not recorded")
    text = f"{numbers.percent(achieved, 2)} of requests sent in time, send lag p99 {numbers.milliseconds(lag)}"
    return Condition(state=HOLDS, name=name, text=text)


def _prices(record: RunRecord) -> Iterator[Condition]:
    """Whether what was stated of the prices still holds: nothing here can read them again."""
    if record.cost is None:
        return
    name, most = "Prices read lately", record.cost.stated["max_age_days"]
    if record.cost.stale:
        yield Condition(state=LOOK, name=name, text="; ".join(stale_text(each) for each in record.cost.stale))
    elif most is None:
        yield Condition(state=NOT_MEASURED, name=name, text="cost.max_age_days is null, so no price is too old")
    else:
        yield Condition(state=HOLDS, name=name, text=f"every price was read within {numbers.count(most)} days")


def _terms(record: RunRecord) -> Iterator[Condition]:
    """Whether the provider of the teacher lets others train on its answers, as somebody read its terms."""
    terms = record.spec.get("teacher", {}).get("terms")
    if terms is None:
        return
    permits, name = terms["permits_training"], "Terms permit training"
    text = f"{one_line(terms['provider'])}, {one_line(terms['url'])}, read {terms['read_on']}: {permits}"
    if terms["override_reason"] is not None:
        text += f"; overridden: {one_line(terms['override_reason'])}"
    yield Condition(state={"yes": HOLDS, "no": BROKEN}.get(permits, LOOK), name=name, text=text)


def is_recorded(model: ModelSummary) -> bool:
    """Whether a side is a table of predictions and not a model."""
    return model.megabytes is None
