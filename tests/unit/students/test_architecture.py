"""The shapes of students from scratch, and the embeddings that they start from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import SpecError
from evalkit.modelling.batches import pad
from evalkit.modelling.loading import load_classifier
from evalkit.spec.distill import LADDER, Distill
from evalkit.students.architecture import cut_from_teacher, projected_embeddings
from evalkit.students.basis import Basis
from evalkit.students.from_spec import build
from tests.tiny_classifiers import write_tiny_teacher


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=1))


def built(teacher, train_embeddings=True, **encoder):
    return build(
        Basis(labels=teacher.labels, teacher=teacher),
        Distill.model_validate({"encoder": encoder, "train_embeddings": train_embeddings}),
        1,
    ).model


@pytest.mark.parametrize("size", LADDER)
def test_a_named_size_is_its_layers_and_width_with_heads_of_sixty_four(teacher, size):
    config = built(teacher, size=size).config
    layers, width, _ = LADDER[size]
    assert (config.num_hidden_layers, config.hidden_size) == (layers, width)
    assert config.hidden_size // config.num_attention_heads == 64


def test_embeddings_start_as_the_teachers_where_the_spec_says_so(teacher):
    its = teacher.model.get_input_embeddings().weight
    fresh, kept = (built(teacher, width=16, embeddings=each).get_input_embeddings().weight for each in ("fresh", "pca"))
    expected = projected_embeddings(its, 16)
    expected[teacher.tokenizer.pad_token_id] = 0
    torch.testing.assert_close(kept, expected)
    assert not torch.equal(fresh, kept)


def test_projected_embeddings_may_be_kept_as_they_are(teacher):
    assert not built(teacher, False, width=16, embeddings="pca").get_input_embeddings().weight.requires_grad
    assert built(teacher, width=16, embeddings="pca").get_input_embeddings().weight.requires_grad


def test_embeddings_of_a_narrower_teacher_cannot_be_projected(teacher):
    with pytest.raises(SpecError, match=r"encoder is 64 wide and its teacher 32"):
        built(teacher, width=64, embeddings="pca")


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(0, 2**16))
def test_no_linear_projection_keeps_more_of_the_variance(width, seed):
    rng = np.random.default_rng(seed)
    vectors = torch.from_numpy(rng.normal(size=(30, 6)) * rng.uniform(0.1, 3, size=6))
    singular = torch.linalg.svdvals(vectors - vectors.mean(0))
    kept = projected_embeddings(vectors, width)
    torch.testing.assert_close((kept**2).sum(), (singular[:width] ** 2).sum())
    if width == 6:
        torch.testing.assert_close(torch.cdist(kept, kept), torch.cdist(vectors, vectors), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [lambda teacher: teacher, lambda teacher: cut_from_teacher(teacher, [0])])
def test_hidden_states_and_attentions_come_out_of_a_mean_pooled_model_where_asked(teacher, make):
    model = make(teacher).model
    layers = model.config.num_hidden_layers
    inputs = pad([[2, 5, 6, 3], [2, 3]], 0)
    plain, asked = model(**inputs), model(**inputs, output_hidden_states=True, output_attentions=True)
    assert (plain.hidden_states, plain.attentions) == (None, None)
    assert [tuple(each.shape) for each in asked.hidden_states] == [(2, 4, 32)] * (layers + 1)
    assert [tuple(each.shape) for each in asked.attentions] == [(2, 2, 4, 4)] * layers
    torch.testing.assert_close(asked.logits, plain.logits)
    assert asked.attentions[0][1, :, :, 2:].abs().max().item() == 0.0
