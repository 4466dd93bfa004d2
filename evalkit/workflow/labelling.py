"""A teacher behind an API labels the training texts and the held-out texts; its answers are kept beside the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.data.dataset import Rows
from evalkit.errors import InvalidComparison, SpecError
from evalkit.predictions.aligned import TEACHER
from evalkit.predictions.recorded import PREDICTION
from evalkit.record.layout import RunFolder, claim, locked, write_json
from evalkit.record.stages import StageResult, file_digest
from evalkit.spec.gate import OUTSIDE
from evalkit.spec.loading import LoadedSpec
from evalkit.spec.teacher_api import SoftLabels, TeacherApi
from evalkit.teachers.answers import Answer, AnswerStore
from evalkit.teachers.asking import Missing, ask_all, missing
from evalkit.teachers.estimate import Estimate, estimate
from evalkit.teachers.reading import from_samples, from_top_logprobs, label_of
from evalkit.teachers.request import Prompt, held_out_prompt, training_prompt
from evalkit.workflow.answering import Side
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.inputs import Inputs, check_inputs

VERSION = 2
ANSWERS, COUNTS = "answers.parquet", "labelling.json"
USAGE = ("input_tokens", "output_tokens", "latency_ms")
HOW_NOT_WHAT = {"key_env", "concurrency", "timeout_s", "attempts", "prices", "budget", "outside"}
"""Settings that do not change what is answered."""


class Part(StrEnum):
    """Which texts are labelled."""

    TRAIN = "train"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One labelled table: its folder (``answers.parquet``) and its counts."""

    part: Part
    stage: StageResult
    counts: dict[str, Any]


def label(loaded: LoadedSpec, root: Path, reporter: Reporter) -> tuple[Labelled, ...]:
    """Asks the API teacher for every training text and every held-out text, in the run folder ``root``.

    Killed and started again, it asks only what has no answer. Raises SpecError for another kind of teacher, DataError
    for bad tables and a LabellingError where the API or the disk stops it.
    """
    api_of(loaded)
    run = RunFolder(root.resolve())
    with locked(run):
        claim(run, loaded.spec.model_dump(mode="json"), loaded.digest)
        gate = Gate(loaded=loaded, run=run, reporter=reporter)
        inputs, _ = check_inputs(gate)
        return tuple(labelled(gate, inputs, part) for part in parts(inputs))


def estimates(loaded: LoadedSpec, root: Path) -> dict[Part, Estimate]:
    """What the labelling would ask and cost, without asking; answers that are kept already are not asked again."""
    api, inputs, path = api_of(loaded), Inputs(loaded=loaded, digests={}), store_path(RunFolder(root.resolve()))
    if not path.is_file():
        return {part: estimate(api, _missing(None, api, inputs, part)) for part in parts(inputs)}
    with AnswerStore(path) as store:
        return {part: estimate(api, _missing(store, api, inputs, part)) for part in parts(inputs)}


def labelled(gate: Gate, inputs: Inputs, part: Part) -> Labelled:
    """The stage that asks for one table's texts."""
    api, labels = api_of(gate.loaded), gate.spec.task.labels

    def work(folder: Path) -> None:
        with AnswerStore(store_path(gate.run)) as store:
            wanted = _missing(store, api, inputs, part)
            tally = ask_all(api, store, wanted, np.random.default_rng(gate.spec.seed), _counted(gate.reporter))
            soft = api.soft if part is Part.TRAIN else None
            table = _table(store, wanted.prompt, rows_of(inputs, part), labels, soft)
        table = table.rename(columns={"id": gate.spec.data.columns.id})
        table.to_parquet(folder / ANSWERS, index=False)
        write_json(folder / COUNTS, {**asdict(tally), **_row_counts(table)})

    result = gate.stage(
        f"teacher-{part.value.replace('_', '-')}",
        VERSION,
        {"rows": inputs.digests[part], "api": api.model_dump(mode="json", exclude=HOW_NOT_WHAT), "labels": labels,
         "columns": gate.spec.data.columns.model_dump()},
        work,
    )  # fmt: skip
    return Labelled(part=part, stage=result, counts=result.read(COUNTS))


def api_side(gate: Gate, inputs: Inputs) -> Side:
    """The API teacher's answers to the held-out rows, as one side of the comparison.

    Raises InvalidComparison where a row was not answered: to leave it out would flatter the teacher. An answer outside
    the labels stands there as one, unless the spec has it refused."""
    found = labelled(gate, inputs, Part.HELD_OUT)
    path = found.stage.folder / ANSWERS
    table, api = pd.read_parquet(path), api_of(gate.loaded)
    bad = table[table[PREDICTION].isna() | ((table[PREDICTION] == OUTSIDE) & (api.outside == "refuse"))]
    if len(bad):
        answer, id_column = bad["answer"].iloc[0], gate.spec.data.columns.id
        said = "was not answered" if pd.isna(answer) else f"was answered {answer[:40]!r}"
        raise InvalidComparison(
            f"teacher.api gave {len(bad):,} of {len(table):,} held-out rows no label (first: id "
            f"{bad[id_column].iloc[0]} {said}); name the labels in teacher.api.instruction, constrain the answer by "
            "teacher.api.extra, or leave the rows out of data.held_out"
        )
    return Side(
        role=TEACHER, version=file_digest(path)[:12], model=None, recorded=path,
        source=f"{api.model} at {api.base_url}",
    )  # fmt: skip


def api_of(loaded: LoadedSpec) -> TeacherApi:
    """The spec's API teacher."""
    api = loaded.spec.teacher.api
    if api is None:
        raise SpecError(f"{loaded.path} has no teacher.api; only a teacher behind an API is asked for labels")
    return api


def store_path(run: RunFolder) -> Path:
    """Answers lie beside the runs, so that another spec or bar asks nothing anew."""
    return run.root.parent / "teacher_answers.sqlite"


def parts(inputs: Inputs) -> tuple[Part, ...]:
    """The tables that are there, held-out rows first: they are fewer, and show early what goes wrong."""
    return (Part.HELD_OUT,) if inputs.train is None else (Part.HELD_OUT, Part.TRAIN)


def rows_of(inputs: Inputs, part: Part) -> Rows:
    """A part's rows."""
    rows = inputs.train if part is Part.TRAIN else inputs.held_out
    assert rows is not None
    return rows


def samples_of(api: TeacherApi, part: Part) -> int:
    """Answers to one text."""
    if part is Part.HELD_OUT or api.soft is None or api.soft.source != "samples":
        return 1
    return api.soft.samples


def _missing(store: AnswerStore | None, api: TeacherApi, inputs: Inputs, part: Part) -> Missing:
    labels = inputs.loaded.spec.task.labels
    prompt = training_prompt(api, labels) if part is Part.TRAIN else held_out_prompt(api, labels)
    return missing(store, prompt, rows_of(inputs, part).texts, samples_of(api, part))


def _table(
    store: AnswerStore, prompt: Prompt, rows: Rows, labels: Sequence[str], soft: SoftLabels | None
) -> pd.DataFrame:
    """One row a text: the first answer as it was said, the label that it is (``OUTSIDE`` where it is none, nothing
    without an answer), why it ended, its tokens and its milliseconds, and with soft labels a ``mass_<label>`` each, the
    mass or the votes outside the labels, and what the API did not list."""
    lines = []
    for row_id, text in zip(rows.ids, rows.texts, strict=True):
        first = store.answer(prompt.key(prompt.question(text)))
        line: dict[str, Any] = {
            "id": row_id,
            "answer": None if first is None else first.text,
            PREDICTION: None if first is None else label_of(first.text, labels) or OUTSIDE,
            "finish_reason": None if first is None else first.finish_reason,
            **{name: None if first is None else getattr(first, name) for name in USAGE},
        }
        if soft is not None and soft.source == "top_logprobs":
            line |= _listed(first, labels)
        elif soft is not None:
            line |= _voted(store, prompt, text, labels, soft.samples, soft.alpha)
        lines.append(line)
    return pd.DataFrame(lines)


def _listed(answer: Answer | None, labels: Sequence[str]) -> dict[str, float]:
    read = from_top_logprobs(None if answer is None else answer.tokens, labels)
    masses = {f"mass_{label}": float(mass) for label, mass in zip(labels, read.masses, strict=True)}
    return {**masses, "mass_outside": read.outside, "mass_missing": read.missing}


def _voted(
    store: AnswerStore, prompt: Prompt, text: str, labels: Sequence[str], samples: int, alpha: float
) -> dict[str, float]:
    answers = [store.answer(prompt.key(prompt.question(text, sample))) for sample in range(samples)]
    said = [each.text for each in answers if each is not None]
    shares, outside = from_samples(said, labels, alpha)
    masses = {f"mass_{label}": float(share) for label, share in zip(labels, shares, strict=True)}
    return {**masses, "votes_outside": outside, "votes_missing": samples - len(said)}


def _row_counts(table: pd.DataFrame) -> dict[str, Any]:
    answered, is_outside = table["answer"].notna(), table[PREDICTION] == OUTSIDE
    outside = table.loc[is_outside, "answer"]
    common = outside.map(lambda text: text.strip()[:40]).value_counts().head(5)
    return {
        "rows": len(table),
        "rows_labelled": int((answered & ~is_outside).sum()),
        "rows_outside": len(outside),
        "rows_unanswered": int((~answered).sum()),
        "outside_most_common": {str(text): int(count) for text, count in common.items()},
    }


def _counted(reporter: Reporter) -> Callable[[int, int], None]:
    return lambda done, total: reporter.progress(done / total, f"{done:,} of {total:,} answers")
