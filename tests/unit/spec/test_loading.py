"""gate.yaml: what is accepted, and how what is not is named."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.loading import load_spec, parse_spec, spec_digest

ROOT = Path(__file__).resolve().parents[3]
PRICE = {"usd_per_million_requests": 10, "source": "invoice", "date": "2026-11-01"}
MINIMAL = {
    "task": {"name": "reviews", "labels": ["bad", "good"]},
    "data": {"held_out": "held_out.csv"},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
    "cost": {"teacher": PRICE, "student": PRICE},
}


def parse(**changes):
    return parse_spec(yaml.safe_dump(MINIMAL | changes), "gate.yaml")


def refused(match, **changes):
    with pytest.raises(SpecError, match=match) as raised:
        parse(**changes)
    assert "\n" not in str(raised.value)


def test_a_minimal_spec_has_the_default_policy():
    spec = parse()
    assert spec.requirements.confidence == 0.95
    assert spec.requirements.quality.retention == 0.95
    assert spec.requirements.cost_reduction == 2.0
    assert spec.subpopulations.small == "refuse"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datas": {}}, r"gate.yaml: the file: unknown key 'datas'; did you mean 'data'\?"),
        ({"data": {"held_out": "x.csv", "colums": {}}}, r"data: unknown key 'colums'; did you mean 'columns'\?"),
        ({"student": {"distil": {}}}, r"student: unknown key 'distil'; did you mean 'distill'\?"),
        ({"requirements": {"quality": {"margin": 0.1}}}, r"requirements.quality: unknown key 'margin'; did you mean "),
        ({"seed": 1, "zzz": 1}, r"unknown key 'zzz'; known keys: task, data, "),
    ],
)
def test_an_unknown_key_is_refused_at_every_level_with_the_nearest_known_one(changes, message):
    refused(message, **changes)


@pytest.mark.parametrize("section", ["task", "data", "teacher", "student"])
def test_a_missing_section_is_named(section):
    content = {name: value for name, value in MINIMAL.items() if name != section}
    with pytest.raises(SpecError, match=f"{section} is missing; add it"):
        parse_spec(yaml.safe_dump(content), "gate.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requirements": {"quality": {"overall_margin": 0}}}, r"overall_margin is 0: .*greater than 0"),
        ({"requirements": {"quality": {"overall_margin": 1}}}, r"overall_margin is 1: .*less than 1"),
        ({"requirements": {"quality": {"subpopulation_margin": 5}}}, r"subpopulation_margin is 5: .*less than 1"),
        ({"requirements": {"confidence": 1}}, r"requirements.confidence is 1: .*less than 1"),
        ({"seed": -1}, r"seed is -1: .*greater than or equal to 0"),
        ({"seed": "x"}, r"seed is 'x': .*integer"),
        ({"task": {"name": "a b", "labels": ["x", "y"]}}, r"task.name is 'a b'"),
        ({"task": {"name": "a", "labels": ["x", "x"]}}, r"task.labels: x stands there twice"),
        ({"task": {"name": "a", "labels": ["x"]}}, r"task.labels: .*at least 2"),
        ({"subpopulations": {"by": ["a", ["a"]]}}, r"subpopulations.by: a stands there twice; name each grouping once"),
        (
            {"teacher": {"load": "a", "recorded": "b"}},
            r"teacher: give exactly one of load, recorded; load and recorded",
        ),
        ({"student": {}}, r"student: give exactly one of distill, load, recorded; none given"),
        ({"cost": {"teacher": {"source": "s", "date": "2026-01-01"}, "student": PRICE}}, r"cost.teacher: give exactly"),
        ({"cost": {"teacher": PRICE | {"date": "soon"}, "student": PRICE}}, r"cost.teacher.date is 'soon'"),
    ],
)
def test_a_value_outside_its_rule_is_named_with_value_and_rule(changes, message):
    refused(message, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": {"distill": {"cut_layers": [0]}}}, r"student.distill needs data.train"),
        (
            {"student": {"distill": {"cut_layers": [0]}}, "data": {"held_out": "a.csv", "train": "b.csv"}},
            r"student.distill needs teacher.load",
        ),
        ({"load": {"rate_rps": 10}}, r"recorded predictions cannot be served"),
        ({"requirements": {"latency": {"p99_ms": 20}}}, r"requirements.latency needs the load section"),
        ({"requirements": {"speed_up": 2}}, r"requirements.speed_up needs the load section"),
        ({"cost": None}, r"requirements.cost_reduction is 2 but there is no cost section"),
        (
            {"cost": {"teacher": {"usd_per_hour": 1, "source": "s", "date": "2026-01-01"}, "student": PRICE}},
            r"cost.teacher.usd_per_hour needs the load section",
        ),
    ],
)
def test_a_question_that_no_section_can_answer_is_refused(changes, message):
    refused(message, **changes)


def test_an_encoder_from_scratch_has_no_embeddings_to_keep():
    distill = {"encoder": {"layers": 1, "width": 8, "heads": 2}, "train_embeddings": False}
    refused(r"student.distill: train_embeddings is false", student={"distill": distill})
    refused(r"width 9 is not a multiple of heads 2", student={"distill": {"encoder": {"width": 9, "heads": 2}}})


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "a: [1,", "a:\n\t- b"])
def test_what_is_not_a_mapping_of_sections_is_refused_in_one_line(text):
    with pytest.raises(SpecError, match=r"gate.yaml (is not valid YAML|holds no sections)") as raised:
        parse_spec(text, "gate.yaml")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_names_the_command_that_writes_one(tmp_path):
    with pytest.raises(SpecError, match=r"no.yaml does not exist; write one with `evalkit init DATA`"):
        load_spec(tmp_path / "no.yaml")


def test_a_grouping_may_be_a_name_a_list_or_a_mapping():
    spec = parse(subpopulations={"by": ["a", ["a", "b"], {"columns": "c", "margin": 0.2, "required": False}]})
    assert [each.columns for each in spec.subpopulations.by] == [("a",), ("a", "b"), ("c",)]
    assert (spec.subpopulations.by[2].margin, spec.subpopulations.by[2].required) == (0.2, False)


def test_the_digest_is_of_what_is_asked_not_of_how_it_is_written():
    turned = yaml.safe_dump(dict(reversed(MINIMAL.items())), default_flow_style=True) + "\n# a comment\n"
    assert spec_digest(parse_spec(turned, "a")) == spec_digest(parse())
    explicit = parse(seed=1, requirements={"confidence": 0.95})
    assert spec_digest(explicit) == spec_digest(parse())


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"requirements": {"confidence": 0.9}},
        {"subpopulations": {"by": ["a"]}},
        {"task": {"name": "b", "labels": ["bad", "good"]}},
    ],
)
def test_the_digest_changes_with_every_value(changes):
    assert spec_digest(parse(**changes)) != spec_digest(parse())


def test_a_spec_cannot_be_changed_after_it_was_read():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        parse().seed = 2


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("examples/*/gate*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_the_examples_specs_are_valid(path):
    assert load_spec(path).spec.task.name


def test_paths_are_relative_to_the_spec(tmp_path):
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(MINIMAL))
    assert load_spec(tmp_path / "gate.yaml").resolve("a/b.csv") == tmp_path / "a" / "b.csv"


def test_the_published_schema_accepts_the_examples_and_refuses_unknown_keys():
    import json

    import jsonschema

    schema = json.loads((ROOT / "docs" / "gate.schema.json").read_text())
    for path in ROOT.glob("examples/*/gate*.yaml"):
        content = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError, match="datas"):
        jsonschema.validate(MINIMAL | {"datas": {}}, schema)
