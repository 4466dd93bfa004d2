"""`executor`: where trainings and offline answers are computed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.executor import Executor, RayCluster
from evalkit.spec.loading import parse_spec

ROOT = Path(__file__).resolve().parents[3]
PRICE = {"usd_per_million_requests": 10, "source": "invoice", "date": "2026-11-01"}
MINIMAL = {
    "task": {"name": "reviews", "labels": ["bad", "good"]},
    "data": {"held_out": "held_out.csv"},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
    "cost": {"teacher": PRICE, "student": PRICE},
}
FORMS = [
    ({}, None),
    ({"executor": "local"}, None),
    ({"executor": "ray"}, RayCluster()),
    ({"executor": {"ray": {}}}, RayCluster()),
    ({"executor": {"ray": {"address": "auto", "cpus": 4, "gpus": 0.5}}}, RayCluster(address="auto", cpus=4, gpus=0.5)),
]


def executor(stated: dict[str, Any]) -> Executor:
    return parse_spec(yaml.safe_dump(MINIMAL | stated), "gate.yaml").executor


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema as docs/generate.py makes it."""
    located = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert located is not None
    assert located.loader is not None
    module = importlib.util.module_from_spec(located)
    located.loader.exec_module(module)
    made: dict[str, Any] = module.json_schema()
    return made


@pytest.mark.parametrize(("stated", "ray"), FORMS)
def test_every_form_of_the_executor_is_read_and_is_in_the_schema(stated, ray, schema):
    assert executor(stated).ray == ray
    jsonschema.validate(MINIMAL | stated, schema)


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("rey", r"executor is 'rey': give local, ray, or ray with its settings"),
        ({"ray": None}, r"executor: ray has no settings; write executor: ray"),
        ({"ray": {"cpus": 0}}, r"executor\.ray\.cpus is 0"),
        ({"ray": {"adress": "auto"}}, r"executor\.ray: unknown key 'adress'; did you mean 'address'"),
        ({"ray": {"address": "head"}}, r"executor\.ray\.address is 'head': give auto, or host:port"),
        ({"ray": {"address": "ray://head:10001"}}, r"Ray Client\) is not taken"),
        ({"dask": {}}, r"executor: unknown key 'dask'"),
    ],
)
def test_an_executor_that_is_none_is_refused_in_one_line(stated, why):
    with pytest.raises(SpecError, match=why) as refused:
        executor({"executor": stated})
    assert "\n" not in str(refused.value)


def test_several_processes_a_training_are_refused_on_ray():
    student = {"distill": {"cut_layers": [0], "processes": 2}}
    spec = MINIMAL | {"data": {"held_out": "h.csv", "train": "t.csv"}, "teacher": {"load": "t"}, "student": student}
    assert parse_spec(yaml.safe_dump(spec), "gate.yaml").student.distill
    with pytest.raises(SpecError, match=r"student\.distill\.processes is 2 and executor is ray"):
        parse_spec(yaml.safe_dump(spec | {"executor": "ray"}), "gate.yaml")
