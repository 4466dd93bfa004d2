"""student.distill.module and student.function: what names the user's own code."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import SpecError
from evalkit.spec.loading import parse_spec

REST = """
task: {name: reviews, labels: [bad, good]}
data: {held_out: held_out.csv, train: train.csv}
teacher: {load: teacher}
requirements: {cost_reduction: null}
"""


def student(text):
    return parse_spec(f"{REST}student: {text}\n", "gate.yaml", Path()).student


def test_a_function_and_its_arguments_are_read_as_they_stand():
    module = student(
        "{distill: {module: {function: my.shapes:build, arguments: {width: 8, deep: yes}}}}"
    ).distill.module
    assert (module.function, module.arguments, module.tokenizer) == (
        "my.shapes:build",
        {"width": 8, "deep": True},
        "teacher",
    )
    assert student("{load: weights, function: my.shapes:build}").function == "my.shapes:build"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            "{distill: {module: {function: my.shapes.build}}}",
            r"student\.distill\.module\.function is 'my\.shapes\.build'",
        ),
        ("{distill: {module: {function: 'os;id:build'}}}", r"student\.distill\.module\.function"),
        ("{distill: {module: {function: a:b, arguments: {labels: 3}}}}", r"arguments names labels, which is passed"),
        ("{distill: {module: {function: a:b, arguments: {two words: 3}}}}", r"arguments.*two words"),
        ("{distill: {module: {function: a:b, arguments: {rate: .nan}}}}", r"arguments\.rate"),
        ("{distill: {module: {function: a:b, arguments: {day: 2026-11-01}}}}", r"arguments\.day"),
        ("{distill: {module: {function: a:b}, encoder: {size: mini}}}", r"encoder and module given"),
        ("{distill: {module: {function: a:b}, train_embeddings: false}}", r"says itself what of it is trained"),
        ("{distill: {module: {function: a:b, vocabulary: 400}}}", r"vocabulary is that of tokenizer: own"),
        (
            "{distill: {module: {function: a:b, tokenizer: own}, objectives: [{objective: relation.rkd}]}}",
            r"relation\.rkd runs teacher and student on the same tokens, and module\.tokenizer is own",
        ),
        ("{recorded: student.csv, function: a:b}", r"function is given without load; .* give distill\.module"),
    ],
)
def test_what_cannot_be_meant_is_one_line(stated, message):
    with pytest.raises(SpecError, match=message) as raised:
        student(stated)
    assert "\n" not in str(raised.value)
