"""controls: what the student is held against, said in a list or with its seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.controls import OffTheShelf
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import parse_spec

ROOT = Path(__file__).resolve().parents[3]
DISTILLED: dict[str, Any] = {
    "task": {"name": "t", "labels": ["no", "yes"]},
    "data": {"held_out": "h.csv", "train": "t.csv"},
    "teacher": {"load": "teacher"},
    "student": {"distill": {"cut_layers": [0]}},
    "requirements": {"cost_reduction": None},
}
FINISHED = DISTILLED | {"student": {"load": "student"}}
EVERY = ["hard_labels", "teacher_argmax", "tfidf", {"load": "models/other"}]


def parsed(controls: Any, spec: dict[str, Any] = DISTILLED) -> GateSpec:
    return parse_spec(yaml.safe_dump(spec | {"controls": controls}), "gate.yaml")


def test_a_list_alone_is_what_the_student_is_held_against() -> None:
    short, long = parsed(EVERY).controls, parsed({"against": EVERY}).controls
    assert short == long
    assert short is not None
    assert short.against == ("hard_labels", "teacher_argmax", "tfidf", OffTheShelf(load="models/other"))
    assert (short.seeds, short.worth) == (1, 0.01)


def test_no_controls_are_asked_for_by_default() -> None:
    assert parse_spec(yaml.safe_dump(DISTILLED), "gate.yaml").controls is None


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (["hardlabels"], "hardlabels is not known; there are hard_labels, teacher_argmax, tfidf and {load: FOLDER}"),
        ([], "controls.against"),
        (["tfidf", "tfidf"], "tfidf stands there twice; name each control once"),
        ([{"load": "a"}, {"load": "a"}], "load: a stands there twice"),
        ({"against": ["tfidf"], "seeds": 0}, "controls.seeds is 0"),
        ({"against": ["tfidf"], "seed": 3}, "unknown key 'seed'; did you mean 'seeds'?"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(controls: Any, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        parsed(controls)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["hard_labels", "teacher_argmax"])
def test_a_finished_student_cannot_be_trained_otherwise(name: str) -> None:
    with pytest.raises(SpecError, match=rf"controls: {name} trains the very student .* give student\.distill"):
        parsed([name], FINISHED)


def test_a_finished_student_is_held_against_finished_models_and_tfidf_of_one_training() -> None:
    assert parsed(["tfidf", {"load": "models/other"}], FINISHED).controls is not None
    with pytest.raises(SpecError, match=r"controls\.seeds is 3, and the student is given finished"):
        parsed({"against": ["tfidf"], "seeds": 3}, FINISHED)


def test_true_labels_need_a_training_table() -> None:
    without = FINISHED | {"data": {"held_out": "h.csv"}}
    with pytest.raises(SpecError, match=r"controls: tfidf learns from true labels and needs data\.train"):
        parsed(["tfidf"], without)


@pytest.mark.parametrize(
    ("objective", "name"),
    [("hard", "hard_labels"), ("answers", "teacher_argmax")],
)
def test_a_control_that_is_the_student_itself_is_refused(objective: str, name: str) -> None:
    distill = {"cut_layers": [0], "objectives": [{"objective": objective}]}
    spec = DISTILLED | {"student": {"distill": distill}}
    with pytest.raises(SpecError, match=f"controls: {name} is the student itself"):
        parsed([name], spec)
    more = DISTILLED | {
        "student": {"distill": {**distill, "objectives": [*distill["objectives"], {"objective": "relation.rkd"}]}}
    }
    assert parsed([name], more).controls is not None


def test_controls_are_for_one_label_a_text() -> None:
    ranking = {
        "task": {"name": "t", "kind": "ranking"},
        "data": {"held_out": "h.csv", "columns": {"query": "q"}, "train": "t.csv"},
        "teacher": {"recorded": "t.csv"},
        "student": {"recorded": "s.csv"},
        "requirements": {"cost_reduction": None},
    }
    with pytest.raises(SpecError, match=r"controls compare how often one label is right, and task\.kind is ranking"):
        parsed(["tfidf"], ranking)


def test_the_published_schema_takes_the_list_and_the_mapping() -> None:
    schema = json.loads((ROOT / "docs" / "gate.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/Controls"})
    for given in (EVERY, {"against": EVERY, "seeds": 3, "worth": 0.02}):
        assert validator.is_valid(given)
    for refused in (
        [],
        ["hardlabels"],
        ["tfidf", "tfidf"],
        [{"lod": "x"}],
        {"seeds": 3},
        {"against": EVERY, "seed": 3},
    ):
        assert not validator.is_valid(refused), refused
