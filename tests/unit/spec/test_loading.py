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
    assert spec.subpopulations.small == "inconclusive"
    assert spec.subpopulations.minimum_rows == 1
    assert spec.task.kind == "classification"
    assert spec.discovery.false_discovery_rate == 0.05
    assert spec.discovery.required
    assert (spec.requirements.looks, spec.requirements.quality.metrics) == (None, ())
    assert spec.policy is None


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
        ({"task": {"name": "a", "labels": ["x"]}}, r"task: classification needs labels, two or more"),
        ({"task": {"name": "a"}}, r"task: classification needs labels, two or more; name every answer"),
        ({"task": {"name": "a", "labels": ["x", " "]}}, r"task.labels: a label is empty; name each answer"),
        ({"task": {"name": "a", "labels": ["x", 5]}}, r"task.labels.1 is 5: .*quote it"),
        ({"task": {"name": "a", "kind": "multilabel", "labels": ["x"]}}, r"task: multilabel needs labels, two or more"),
        (
            {"task": {"name": "a", "kind": "multilabel", "labels": ["x|y", "z"]}},
            r"task: label x\|y holds a \|, which separates labels; rename it",
        ),
        ({"task": {"name": "a", "kind": "ranking", "labels": ["x", "y"]}}, r"task: ranking has no labels; leave them"),
        ({"task": {"name": "a", "kind": "generation", "labels": ["x"]}}, r"task: generation has no labels; leave"),
        ({"task": {"name": "a", "kind": "regression"}}, r"task.kind is 'regression': .*'classification', 'multilabel'"),
        ({"discovery": {"max_columns": 4}}, r"discovery.max_columns is 4: .*less than or equal to 3"),
        ({"discovery": {"min_rows": 9}}, r"discovery.min_rows is 9: .*greater than or equal to 10"),
        ({"discovery": {"false_discovery_rate": 0}}, r"discovery.false_discovery_rate is 0: .*greater than 0"),
        ({"discovery": {"false_discovery_rate": 0.5}}, r"discovery.false_discovery_rate is 0.5: .*less than 0.5"),
        ({"discovery": {"columns": ["a", "b", "a"]}}, r"discovery.columns: a stands there twice; name each column"),
        (
            {"discovery": {"columns": [], "text_features": False}},
            r"discovery: columns is empty and text_features is false, so nothing is searched; set discovery to null",
        ),
        ({"subpopulations": {"by": ["a", ["a"]]}}, r"subpopulations.by: a stands there twice; name each grouping once"),
        (
            {"teacher": {"load": "a", "recorded": "b"}},
            r"teacher: give exactly one of load, recorded, api; load and recorded",
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
        ({"requirements": {"speed_up_p99": 2}}, r"requirements.speed_up_p99 needs the load section"),
        ({"cost": None}, r"requirements.cost_reduction is 2 but there is no cost section"),
        (
            {"cost": {"teacher": {"usd_per_hour": 1, "source": "s", "date": "2026-01-01"}, "student": PRICE}},
            r"cost.teacher.usd_per_hour needs the load section",
        ),
    ],
)
def test_a_question_that_no_section_can_answer_is_refused_by_the_name_of_its_file(changes, message):
    refused(rf"^gate\.yaml: .*{message}", **changes)


RECORDED_TASKS = {
    "multilabel": ({"name": "a", "kind": "multilabel", "labels": ["x", "y"]}, {}),
    "ranking": ({"name": "a", "kind": "ranking"}, {"columns": {"query": "q"}}),
    "generation": ({"name": "a", "kind": "generation"}, {}),
}


@pytest.mark.parametrize("kind", RECORDED_TASKS)
def test_every_kind_is_judged_on_recorded_predictions_and_the_new_ones_on_nothing_else(kind):
    task, data = RECORDED_TASKS[kind]
    data = MINIMAL["data"] | data
    assert parse(task=task, data=data).task.kind == kind
    for teacher, student in (("load", "load"), ("recorded", "load"), ("load", "recorded")):
        refused(
            rf"^gate.yaml: task.kind {kind} is judged on recorded predictions; give both teacher.recorded and student",
            task=task,
            data=data,
            teacher={teacher: "t"},
            student={student: "s"},
        )


def test_ranking_needs_a_query_column_and_nothing_else_may_have_one():
    refused(r"^gate.yaml: task.kind ranking needs data.columns.query", task=RECORDED_TASKS["ranking"][0])
    data = MINIMAL["data"] | {"columns": {"query": "q"}}
    refused(r"^gate.yaml: data.columns.query is for ranking, and task.kind is classification; remove it", data=data)


@pytest.mark.parametrize("column", ["@label", "@teacher_answer", "@teacher_confidence", "@student_confidence"])
@pytest.mark.parametrize("kind", ["ranking", "generation"])
def test_a_task_without_labels_is_not_grouped_by_them(kind, column):
    task, data = RECORDED_TASKS[kind]
    refused(
        rf"subpopulations.by groups by {column}, and task.kind {kind} has no labels to group by; remove it",
        task=task,
        data=MINIMAL["data"] | data,
        subpopulations={"by": ["language", column]},
    )
    assert parse(task=task, data=MINIMAL["data"] | data, subpopulations={"by": ["language", "@text_length"]})


EMPTY = {
    "data.held_out": {"data": {"held_out": ""}},
    "data.train": {"data": {"held_out": "a.csv", "train": " "}},
    "data.production": {"data": {"held_out": "a.csv", "production": ""}},
    "data.columns.id": {"data": {"held_out": "a.csv", "columns": {"id": ""}}},
    "data.columns.text": {"data": {"held_out": "a.csv", "columns": {"text": ""}}},
    "data.columns.label": {"data": {"held_out": "a.csv", "columns": {"label": "\t"}}},
    "data.columns.cluster": {"data": {"held_out": "a.csv", "columns": {"cluster": ""}}},
    "data.columns.query": {"data": {"held_out": "a.csv", "columns": {"query": ""}}},
    "teacher.load": {"teacher": {"load": ""}},
    "teacher.recorded": {"teacher": {"recorded": ""}},
    "student.load": {"student": {"load": " "}},
    "student.recorded": {"student": {"recorded": ""}},
    "cost.teacher.source": {"cost": {"teacher": PRICE | {"source": " "}, "student": PRICE}},
    "discovery.columns.1": {"discovery": {"columns": ["a", ""]}},
}


@pytest.mark.parametrize("key", EMPTY)
def test_an_empty_path_or_name_is_refused_by_its_key(key):
    refused(rf"gate.yaml: {key} is '\s*(\\t)?': nothing is named; give a name or a path, or leave", **EMPTY[key])


def test_a_required_grouping_needs_a_margin_from_somewhere():
    none = {"quality": {"subpopulation_margin": None}}
    search = {"required": False}
    refused(
        r"^gate.yaml: subpopulations.by a × b is required, but no margin says what of it; give margin, requirements",
        requirements=none,
        discovery=search,
        subpopulations={"by": [["a", "b"]]},
    )
    metric = {"metric": "macro_f1", "margin": 0.1, "subpopulations": True}
    for requirements, grouping in (
        (none, {"columns": "a", "required": False}),
        (none, {"columns": "a", "margin": 0.1}),
        (none, {"columns": "a", "groups": {"x": {"margin": 0.1}}}),
        ({"quality": {"subpopulation_margin": None, "metrics": [metric]}}, "a"),
        ({}, "a"),
    ):
        assert parse(requirements=requirements, discovery=search, subpopulations={"by": [grouping]})


def test_a_discovered_subpopulation_cannot_be_required_to_pass_at_no_margin():
    none = {"quality": {"subpopulation_margin": None}}
    refused(r"^gate.yaml: discovery.required is true, but requirements.quality.subpopulation_margin", requirements=none)
    assert parse(requirements=none, discovery=None).discovery is None
    assert not parse(requirements=none, discovery={"required": False}).discovery.required


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

    schema = json.loads((ROOT / "docs" / "gate.schema.json").read_text(encoding="utf-8"))
    for path in ROOT.glob("examples/*/gate*.yaml"):
        content = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError, match="datas"):
        jsonschema.validate(MINIMAL | {"datas": {}}, schema)
