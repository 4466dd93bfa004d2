"""student.distill: what is learnt, from what shape, said in one way."""

from __future__ import annotations

import jsonschema
import pytest
from pydantic import ValidationError

from evalkit.spec.distill import Distill, FeatureHidden, ResponseKl
from evalkit.spec.gate import GateSpec
from evalkit.spec.refusals import refusal

EIGHT = (
    "response.kl", "response.dkd", "feature.hidden", "feature.attention", "relation.rkd", "relation.minilm", "hard",
    "answers",
)  # fmt: skip


def distill(**changes):
    return Distill.model_validate({"cut_layers": [0]} | changes)


def refused(match, **changes):
    with pytest.raises(ValidationError) as raised:
        distill(**changes)
    message = refusal(raised.value)
    assert "\n" not in message
    assert match in message, message


def test_the_three_keys_mean_one_objective_of_soft_and_hard_targets():
    assert distill().learnt == (ResponseKl(weight=1.0, temperature=2.0, soft_weight=0.9, hard_weight=0.1),)
    stated = distill(temperature=3.0, soft_weight=0.5, hard_weight=0.0)
    assert stated.learnt == (ResponseKl(temperature=3.0, soft_weight=0.5, hard_weight=0.0),)


def test_objectives_are_learnt_in_the_order_in_which_they_stand_and_weights_are_literal():
    given = [{"objective": "feature.hidden", "weight": 0.5, "layers": {0: 1, 1: 3}}, {"objective": "response.kl"}]
    assert distill(objectives=given).learnt == (FeatureHidden(weight=0.5, layers={0: 1, 1: 3}), ResponseKl())


@pytest.mark.parametrize("key", ["temperature", "soft_weight", "hard_weight"])
def test_the_three_keys_and_objectives_together_are_refused(key):
    refused(f"{key} and objectives are both given; move", objectives=[{"objective": "hard"}], **{key: 1.0})


@pytest.mark.parametrize("name", EIGHT)
def test_every_objective_needs_its_name_alone_and_knows_its_keys(name):
    assert distill(objectives=[{"objective": name}]).learnt[0].objective == name
    refused("unknown key 'wieght'; did you mean 'weight'?", objectives=[{"objective": name, "wieght": 1}])
    refused("weight is 0", objectives=[{"objective": name, "weight": 0}])


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ([], "objectives: "),
        ([{"objective": "response.mse"}], "response.mse"),
        ([{"weight": 1.0}], "objective"),
        ([{"objective": "feature.hidden", "layers": {}}], "layers"),
        ([{"objective": "feature.hidden", "layers": {-1: 0}}], "greater than or equal to 0"),
        ([{"objective": "feature.hidden", "distance": "l1"}], "'mse' or 'cosine'"),
        ([{"objective": "hard", "temperature": 2}], "unknown key 'temperature'"),
        ([{"objective": "relation.minilm", "relation_heads": True}], "relation_heads is yes or no"),
    ],
)
def test_an_objective_that_cannot_be_meant_is_refused(objectives, message):
    refused(message, objectives=objectives)


def test_a_named_size_and_numbers_are_not_given_both():
    assert Distill.model_validate({"encoder": {"size": "mini"}}).encoder.shape == (4, 256, 4)
    assert Distill.model_validate({"encoder": {"layers": 1, "width": 8}}).encoder.shape == (1, 8, 2)
    refused(
        "size mini says layers, width and heads already; remove width",
        cut_layers=None,
        encoder={"size": "mini", "width": 64},
    )


def test_embeddings_from_scratch_cannot_be_kept_and_projected_ones_can():
    refused("no embeddings to keep", cut_layers=None, encoder={}, train_embeddings=False)
    kept = distill(cut_layers=None, encoder={"embeddings": "pca"}, train_embeddings=False)
    assert not kept.train_embeddings


def test_the_schema_accepts_every_objective_and_refuses_unknown_keys():
    schema = GateSpec.model_json_schema()
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/Distill"})
    for name in EIGHT:
        assert validator.is_valid({"cut_layers": [0], "objectives": [{"objective": name, "weight": 2}]})
        assert not validator.is_valid({"cut_layers": [0], "objectives": [{"objective": name, "wieght": 2}]})


def test_what_the_types_refuse_is_said_with_what_to_give():
    refused(
        "objectives.0: response.kll is not known; there are response.kl, ", objectives=[{"objective": "response.kll"}]
    )
    refused("objectives: it is empty; give at least 1 item", objectives=[])
    refused("start: Input should be a valid string; give one text, no keys or list", start={"load": "folder"})
    refused("cut_layers is 2: Input should be a valid tuple; give a list, e.g. [2]", cut_layers=2)
    refused("give package.module:function, e.g. students:make", cut_layers=None, module={"function": "students.make"})
