"""`evalkit init`: a first gate.yaml, written from a table's own columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pandas as pd

from evalkit.data.reading import read_table
from evalkit.errors import DataError, SpecError

LIKELY_LABELS = ("label", "labels", "class", "category", "intent", "sentiment", "target")
MOST_LABELS = 200
MOST_GROUPS = 30

TEMPLATE = Template("""\
# The question that evalkit answers: may this student replace its teacher?
# Written from $table; every line is yours to change. `evalkit check $output` runs the gate.

task:
  name: $name                # lower-case letters, digits, - and _
  labels: $labels

data:
  held_out: $held_out
  # train: train.parquet     # needed to distil; rows without a label are used with the teacher's output alone
  # production: sample.jsonl # real inputs, to see whether the held-out set resembles them
  columns: {id: $id, text: $text, label: $label}
  # max_leakage: 0.0         # share of held-out texts that may also stand in train

subpopulations:              # for whom the student must be good enough
  by:
$groups
    # - {columns: age, bins: [18, 65]}          # a column of numbers by edges, or quantiles: 4
    # - {columns: "@text_length", required: false}   # also "@label", "@teacher_answer", "@teacher_confidence"
  # small: inconclusive      # groups too small to be judged: inconclusive, block (refuse to start) or merge

# discovery: null            # also searches for groups that nobody named; null turns it off

teacher:
  load: models/teacher       # a Hugging Face folder (safetensors) or a served model folder
  # recorded: teacher.parquet  # or its recorded answers: columns $id, prediction[, probability_LABEL ...]

student:
  load: models/student       # or recorded: student.parquet, or:
  # distill:
  #   cut_layers: [0, 3]     # the teacher with these encoder layers; or encoder: {layers: 2, width: 128, heads: 2}
  #   temperature: 2.0
  #   epochs: 5
# controls: {against: [hard_labels, tfidf], seeds: 3}   # did distilling gain anything over training on your labels?

load:
  rate_rps: 50               # requests a second, Poisson arrivals, for teacher and student alike
  duration_s: 30

cost:                        # your prices, with where and when you read them
  teacher: {usd_per_hour: 1.00, source: "your price list", date: $today}
  student: {usd_per_hour: 1.00, source: "your price list", date: $today}

# policy: balanced           # strict, balanced, exploratory or a YAML file; `evalkit policy strict` prints one
requirements:
  confidence: 0.95           # one-sided, for every claim
  quality:
    overall_margin: 0.05     # accuracy the student may lose over all rows
    subpopulation_margin: 0.08
    retention: 0.95          # student accuracy / teacher accuracy
    # metrics: [{metric: macro_f1, margin: 0.05}]   # `evalkit metrics` lists them; or package.module:function
  latency: {p99_ms: 50}
  cost_reduction: 2.0        # teacher cost / student cost per request
  # looks: {planned: 3}      # verdicts that these rows are to give; all together then err no more than one

seed: 1
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Which column seems to hold what."""

    id: str
    text: str
    label: str
    labels: tuple[str, ...]
    groups: tuple[str, ...]


def write_template(data: Path, output: Path, today: str) -> None:
    """Writes ``output``. Raises SpecError where something is there already, DataError for an unfit table."""
    if output.exists():
        raise SpecError(f"{output} is already there; give another --output, nothing is written over")
    guess = guess_columns(read_table(data, "DATA"))
    groups = [f"    - {_yaml(name)}" for name in guess.groups] or ["    []                     # name columns here"]
    output.write_text(
        TEMPLATE.substitute(
            table=data.name,
            output=output.name,
            name="my-task",
            labels=_yaml(list(guess.labels)),
            held_out=_yaml(str(_relative(data, output))),
            id=_yaml(guess.id),
            text=_yaml(guess.text),
            label=_yaml(guess.label),
            groups="\n".join(groups),
            today=today,
        ),
        encoding="utf-8",
    )


def guess_columns(table: pd.DataFrame) -> Guess:
    """Text is the longest column of words, label the likeliest of the few-valued ones, id the unique one."""
    if table.empty:
        raise DataError("DATA has no rows; give a table of held-out rows")
    words = {str(name): _mean_length(table[name]) for name in table.columns if _is_text(table[name])}
    if not words:
        raise DataError(f"DATA has no column of texts; it has {', '.join(map(str, table.columns))}")
    text = max(words, key=words.__getitem__)
    few = [name for name in words if name != text and 2 <= table[name].nunique() <= MOST_LABELS]
    if not few:
        raise DataError(f"DATA has no column that could hold labels beside '{text}'; add one")
    label = next((name for name in LIKELY_LABELS if name in few), min(few, key=lambda name: table[name].nunique()))
    unique = [str(name) for name in table.columns if name != text and table[name].is_unique]
    groups = [name for name in few if name != label and table[name].nunique() <= MOST_GROUPS]
    return Guess(
        id=unique[0] if unique else "id",
        text=text,
        label=label,
        labels=tuple(sorted(str(value) for value in table[label].dropna().unique())),
        groups=tuple(groups),
    )


def _is_text(column: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(column.dropna()))


def _mean_length(column: pd.Series) -> float:
    return float(column.dropna().astype(str).str.len().mean())


def _relative(data: Path, output: Path) -> Path:
    try:
        return data.resolve().relative_to(output.resolve().parent)
    except ValueError:
        return data.resolve()


def _yaml(value: object) -> str:
    """A value in YAML's flow style, which JSON is a part of; plain words stay plain."""
    if isinstance(value, str) and value.replace("_", "").isalnum() and not value[0].isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)
