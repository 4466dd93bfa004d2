"""What gate.yaml says twice, endlessly or unreadably is refused: no reading is chosen in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import SpecError
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import load_spec, parse_spec, spec_digest
from evalkit.spec.section import Section

PRICE = {"usd_per_hour": 1.0, "source": "invoice", "date": "2026-11-01"}
WHOLE: dict[str, Any] = {
    "task": {"name": "reviews", "kind": "classification", "labels": ["bad", "good"], "description": "of films"},
    "data": {
        "held_out": "held_out.csv",
        "train": "train.csv",
        "production": "production.csv",
        "columns": {"id": "key", "text": "body", "label": "answer", "cluster": "user"},
        "max_leakage": 0.01,
    },
    "subpopulations": {
        "by": [
            {"columns": ["a", "b"], "margin": 0.1, "required": False},
            {"columns": "age", "bins": [18.0, 65.0]},
            {"columns": ["@text_length"], "quantiles": 4},
            {
                "columns": ["channel"],
                "groups": {
                    "web": {"margin": 0.2, "required": True, "weight": 3.0},
                    "shop": {"margin": 0.3, "required": False, "weight": 1.0},
                },
            },
        ],
        "small": "inconclusive",
        "minimum_rows": 20,
    },
    "discovery": {
        "columns": ["a", "age"],
        "text_features": False,
        "max_columns": 1,
        "min_rows": 40,
        "false_discovery_rate": 0.1,
        "required": False,
    },
    "teacher": {"load": "teacher"},
    "student": {
        "distill": {
            "encoder": {"layers": 3, "width": 64, "heads": 4},
            "temperature": 3.0,
            "soft_weight": 0.5,
            "hard_weight": 0.5,
            "epochs": 7,
            "learning_rate": 0.001,
            "batch_rows": 16,
            "max_length": 32,
        }
    },
    "serve": {
        "provider": "cpu",
        "threads": 2,
        "max_batch_rows": 8,
        "max_length": 32,
        "parity_tolerance": 0.01,
        "precision": "int8_static",
        "teacher_precision": "fp16",
        "fp16_on_cpu": True,
        "most_label_flips": 0.02,
        "calibration_rows": 100,
    },
    "load": {
        "rate_rps": 20.0,
        "duration_s": 30.0,
        "warmup_s": 3.0,
        "arrivals": "constant",
        "timeout_s": 5.0,
        "saturation_clients": 8,
        "saturation_s": 6.0,
        "capacity": {"p99_ms": 40.0, "max_minutes": 2.0},
    },
    "cost": {"teacher": PRICE, "student": PRICE | {"utilisation": 0.4}, "monthly_requests": 5, "project_usd": 9.0},
    "requirements": {
        "confidence": 0.9,
        "quality": {
            "overall_margin": 0.04,
            "subpopulation_margin": 0.07,
            "retention": 0.96,
            "teacher_accuracy": 0.8,
            "metrics": [{"metric": "macro_f1", "margin": 0.02, "subpopulations": True, "required": False}],
        },
        "latency": {"p50_ms": 20.0, "p99_ms": 50.0},
        "speed_up": 1.5,
        "speed_up_p99": 1.2,
        "cost_reduction": 3.0,
        "looks": {"planned": 3, "spending": "obrien_fleming"},
    },
    "executor": {"ray": {"address": "auto", "cpus": 2, "gpus": 0.5}},
    "policy": "exploratory",
    "seed": 3,
}
CUT: dict[str, Any] = {"distill": {"cut_layers": [1, 3], "train_embeddings": False}}
HELD_AGAINST: dict[str, Any] = {"against": ["hard_labels", "tfidf", {"load": "other"}], "seeds": 3, "worth": 0.02}
LEARNT: dict[str, Any] = {
    "distill": {
        "encoder": {"size": "mini", "embeddings": "pca"},
        "objectives": [
            {"objective": "response.kl", "weight": 0.9, "temperature": 3.0, "soft_weight": 0.5, "hard_weight": 0.5},
            {"objective": "response.dkd", "weight": 0.9, "temperature": 3.0, "alpha": 2.0, "beta": 4.0},
            {"objective": "feature.hidden", "weight": 0.5, "layers": {0: 1, 1: 3}, "distance": "cosine"},
            {"objective": "feature.attention", "weight": 0.5, "layers": {0: 1}},
            {"objective": "relation.rkd", "weight": 0.1, "distance_weight": 10.0, "angle_weight": 20.0},
            {"objective": "relation.minilm", "weight": 0.2, "relation_heads": 8},
            {"objective": "hard", "weight": 0.3},
            {"objective": "answers", "weight": 0.4, "votes": True},
        ],
        "steps": 900,
        "accumulate": 2,
        "held_back": 0.1,
        "patience": 3,
        "processes": 2,
        "checkpoint_steps": 100,
    }
}
OWN_TOKENS: dict[str, Any] = {"distill": {"encoder": {"tokenizer": "own", "vocabulary": 4000}}}
OWN_MODULE: dict[str, Any] = {
    "distill": {
        "module": {
            "function": "small.student:build",
            "arguments": {"width": 8, "kernels": [3, 5]},
            "tokenizer": "own",
            "vocabulary": 400,
        }
    }
}
STARTED: dict[str, Any] = {"distill": {"start": "encoder"}}
MILLION = {"usd_per_million_requests": 9.0, "source": "bill", "date": "2026-11-01"}
RANKING: dict[str, Any] = {
    "task": {"name": "search", "kind": "ranking"},
    "data": {"held_out": "held_out.csv", "columns": {"query": "question"}},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
    "cost": {"teacher": MILLION, "student": MILLION},
}
FINISHED: dict[str, Any] = {"load": "student", "function": "small:build"}
OTHER_MACHINE = {"usd_per_hour": 2.0, "speed_source": "a benchmark", "source": "price list", "date": "2026-11-01"}
MONEY: dict[str, Any] = {
    "teacher": {
        "tokens": {
            "usd_per_million_input": 3.0,
            "usd_per_million_output": 15.0,
            "usd_per_million_cached": 0.3,
            "batch_discount": 0.5,
            "usage": "usage.csv",
            "columns": {
                "input_tokens": "input",
                "output_tokens": "output",
                "cached_tokens": "cached",
                "answered": "ok",
            },
        },
        "source": "price list",
        "date": "2026-11-01",
    },
    "student": PRICE
    | {
        "fleet": {"minimum_replicas": 2, "headroom": 1.3},
        "instances": [
            OTHER_MACHINE | {"name": "small", "rps": 40.0},
            OTHER_MACHINE | {"name": "large", "relative_speed": 3.0},
        ],
    },
    "monthly_requests": 5_000_000,
    "peak_rps": 20.0,
    "project": {
        "labelling_usd": 300.0,
        "training_hours": 12.0,
        "usd_per_training_hour": 3.0,
        "engineering_hours": 40.0,
        "usd_per_engineering_hour": 90.0,
    },
    "max_age_days": 90,
    "cascade": False,
}
ASKED: dict[str, Any] = {
    "api": {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "large",
        "revision": "october",
        "key_env": "TEACHER_KEY",
        "instruction": "Say no or yes.",
        "temperature": 0.1,
        "max_tokens": 4,
        "extra": {"seed": 7},
        "soft": {
            "source": "top_logprobs",
            "top": 10,
            "samples": 3,
            "alpha": 1.0,
            "temperature": 0.9,
            "least_listed": 0.8,
        },
        "outside": "refuse",
        "concurrency": 8,
        "timeout_s": 20.0,
        "attempts": 3,
        "prices": {"usd_per_million_input": 0.5, "usd_per_million_output": 1.5},
        "budget": {"requests": 1000, "usd": 2.0},
    },
    "terms": {
        "provider": "Acme",
        "url": "https://acme.example/terms",
        "read_on": "2026-11-01",
        "permits_training": "unresolved",
        "override_reason": "counsel agreed",
    },
}
SPECS = {
    "whole": WHOLE,
    "cut": WHOLE | {"student": CUT, "controls": HELD_AGAINST},
    "learnt": WHOLE | {"student": LEARNT, "executor": "local"},
    "load": WHOLE | {"student": FINISHED},
    "own_tokens": WHOLE | {"student": OWN_TOKENS},
    "own_module": WHOLE | {"student": OWN_MODULE},
    "started": WHOLE | {"student": STARTED},
    "ranking": RANKING,
    "money": WHOLE | {"cost": MONEY},
    "asked": WHOLE | {"teacher": ASKED, "student": FINISHED, "serve": WHOLE["serve"] | {"teacher_precision": "fp32"}},
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value that is no section."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [path] if inside is None else [leaf for key, each in inside for leaf in leaves(each, (*path, key))]


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy of ``value`` with another leaf."""
    if not path:
        return to
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


def parsed(content: dict[str, Any]) -> GateSpec:
    return parse_spec(yaml.safe_dump(content), "gate.yaml")


def another(value: Any) -> Any:
    """A near value of the same type, inside every range."""
    match value:
        case bool():
            return not value
        case int():
            return value * 2
        case float():
            return value * 0.95
    return OTHER_WORDS.get(value, value + "x")


OTHER_WORDS = {
    "inconclusive": "block",
    "cpu": "cuda",
    "constant": "poisson",
    "2026-11-01": "2026-11-02",
    "obrien_fleming": "pocock",
    "exploratory": "strict",
    "classification": "multilabel",
    "ranking": "generation",
    "@text_length": "@student_confidence",
    "mini": "small",
    "pca": "fresh",
    "hard_labels": "teacher_argmax",
    "tfidf": "teacher_argmax",
    "cosine": "mse",
    "unresolved": "no",
    "auto": "head:6379",
    "top_logprobs": "samples",
    "int8_static": "int8_dynamic",
    "fp16": "int8_dynamic",
    "fp32": "int8_dynamic",
    "refuse": "wrong",
}


def typed(content: dict[str, Any]) -> GateSpec:
    """The spec by its types alone: one changed value may contradict another one."""
    return GateSpec.model_validate(yaml.safe_load(yaml.safe_dump(content)))


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (name, path)
        for name, spec in SPECS.items()
        for path in leaves(spec)
        if name not in ("cut", "learnt", "load", "own_tokens", "own_module", "started")
        or path[0] in ("student", "controls")
        if path[-1] not in ("objective", "tokenizer")  # they say which keys there are
    ],
    ids=lambda each: each if isinstance(each, str) else ".".join(map(str, each)),
)
def test_the_digest_changes_with_every_single_value(spec: str, path: tuple[Any, ...]) -> None:
    whole = SPECS[spec]
    old: Any = whole
    for key in path:
        old = old[key]
    assert spec_digest(typed(changed(whole, path, another(old)))) != spec_digest(typed(whole))


def sections(annotation: Any) -> set[type[Section]]:
    """Every section that a type is made of, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        inside = [sections(field.annotation) for field in annotation.model_fields.values()]
        return {annotation}.union(*inside)
    return set().union(*map(sections, get_args(annotation)))


def given_keys(value: Any) -> set[tuple[type, str]]:
    """Every key that a parsed spec was really given."""
    if isinstance(value, Section):
        inside = [given_keys(getattr(value, key)) for key in value.model_fields_set]
        return {(type(value), key) for key in value.model_fields_set}.union(*inside)
    each = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return set().union(*map(given_keys, each))


def test_the_specs_above_give_every_key_that_there_is() -> None:
    every = {(section, key) for section in sections(GateSpec) for key in section.model_fields}
    assert every - set().union(*(given_keys(parsed(spec)) for spec in SPECS.values())) == set()


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False), st.booleans(), st.integers(2, 8))
def test_the_digest_does_not_change_with_order_indentation_and_comments(random: Any, flow: bool, indent: int) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = random.sample(list(value), len(value))
        return {key: shuffled(value[key]) for key in keys}

    text = yaml.safe_dump(shuffled(WHOLE), sort_keys=False, default_flow_style=flow, indent=indent)
    assert spec_digest(parse_spec(f"# why\n{text}\n# not\n", "gate.yaml")) == spec_digest(parsed(WHOLE))


def test_every_section_is_frozen() -> None:
    spec = parsed(WHOLE)
    bar, grouping = spec.requirements, spec.subpopulations.by[3]
    frozen = [spec, spec.task, spec.data.columns, spec.subpopulations.by[0], bar.quality, spec.cost, spec.discovery]
    for section in [*frozen, bar.looks, bar.quality.metrics[0], grouping.groups["web"]]:
        name = next(iter(type(section).model_fields))
        with pytest.raises(ValueError, match="frozen"):
            setattr(section, name, getattr(section, name))


@pytest.mark.parametrize(
    "twice",
    [
        "requirements: {confidence: 0.99}\nrequirements: {confidence: 0.8}\n",
        "requirements:\n  confidence: 0.99\n  confidence: 0.8\n",
    ],
    ids=["section", "value"],
)
def test_a_key_given_twice_is_refused_rather_than_the_last_one_believed(twice: str) -> None:
    rest = yaml.safe_dump({key: value for key, value in WHOLE.items() if key != "requirements"})
    with pytest.raises(SpecError, match=r"gate\.yaml.*(requirements|confidence).*twice"):
        parse_spec(rest + twice, "gate.yaml")


def test_one_price_may_be_written_once_and_referred_to() -> None:
    """YAML's merge key is no key given twice, and neither is what overrides a merged one."""
    rest = yaml.safe_dump({key: value for key, value in WHOLE.items() if key != "cost"})
    text = (
        "cost:\n"
        "  teacher: &machine {usd_per_hour: 1.0, source: invoice, date: 2026-11-01}\n"
        "  student: {<<: *machine, utilisation: 0.4}\n"
        "  monthly_requests: 5\n"
        "  project_usd: 9.0\n"
    )
    assert parse_spec(rest + text, "gate.yaml") == parsed(WHOLE)


@pytest.mark.parametrize("text", ["{[a]: b}", "? {a: 1}\n: b\n"], ids=["list", "mapping"])
def test_a_key_that_is_no_word_is_not_valid_yaml(text: str) -> None:
    with pytest.raises(SpecError, match=r"gate\.yaml is not valid YAML"):
        parse_spec(text, "gate.yaml")


@pytest.mark.parametrize(
    "path",
    [
        ("requirements", "latency", "p99_ms"),
        ("requirements", "latency", "p50_ms"),
        ("cost", "teacher", "usd_per_hour"),
        ("cost", "project_usd"),
    ],
    ids=lambda path: ".".join(path),
)
def test_an_infinite_limit_or_price_is_refused_since_it_asks_for_nothing(path: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=rf"{'.'.join(path)} is inf"):
        parsed(changed(WHOLE, path, float("inf")))


def test_a_grouping_by_one_column_twice_is_refused() -> None:
    with pytest.raises(SpecError, match=r"subpopulations\.by.*user.*twice"):
        parsed(changed(WHOLE, ("subpopulations", "by"), [["user", "user"]]))


@pytest.mark.parametrize("labels", ["[0, 1]", "[yes, no]"])
def test_labels_that_yaml_takes_for_something_else_are_refused_with_the_remedy(labels: str) -> None:
    rest = yaml.safe_dump({key: value for key, value in WHOLE.items() if key != "task"})
    with pytest.raises(SpecError, match=r"task\.labels.*quote"):
        parse_spec(f"{rest}\ntask: {{name: reviews, labels: {labels}}}\n", "gate.yaml")


@pytest.mark.parametrize(
    ("path", "section", "key"),
    [
        (("requirements", "quality", "retention"), "requirements.quality", "retention"),
        (("requirements", "speed_up"), "requirements", "speed_up"),
        (("requirements", "speed_up_p99"), "requirements", "speed_up_p99"),
        (("requirements", "looks", "planned"), "requirements.looks", "planned"),
        (("seed",), "the file", "seed"),
        (("subpopulations", "by", 3, "groups", "web", "weight"), "subpopulations.by.3.groups.web", "weight"),
        (("subpopulations", "by", 1, "bins", 0), "subpopulations.by.1", "bins"),
    ],
    ids=lambda each: each if isinstance(each, str) else ".".join(map(str, each)),
)
@pytest.mark.parametrize("word", [True, False], ids=["yes", "no"])
def test_yes_and_no_are_no_numbers(path: tuple[Any, ...], section: str, key: str, word: bool) -> None:
    """They would be 1 and 0: `retention: yes` would ask for a student that loses nothing."""
    with pytest.raises(SpecError, match=rf"gate\.yaml: {section}: {key} is yes or no where a number belongs"):
        parsed(changed(WHOLE, path, word))


def test_a_column_that_yaml_cannot_read_unquoted_is_refused_with_the_remedy() -> None:
    rest = yaml.safe_dump({key: value for key, value in WHOLE.items() if key != "subpopulations"})
    with pytest.raises(SpecError, match=r"gate\.yaml is not valid YAML: .*'@'.*; quote it, e\.g\. \"@text_length\""):
        parse_spec(f"{rest}\nsubpopulations: {{by: [@text_length]}}\n", "gate.yaml")


def test_a_file_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_bytes("task: {description: größer}".encode("latin-1"))
    with pytest.raises(SpecError, match=r"gate\.yaml is not .*UTF-8"):
        load_spec(path)


def test_a_margin_out_of_range_is_refused_with_an_example_of_a_right_one() -> None:
    with pytest.raises(SpecError, match=r"overall_margin is 5.*e\.g\. 0\.05"):
        parsed(changed(WHOLE, ("requirements", "quality", "overall_margin"), 5))
