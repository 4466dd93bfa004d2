"""The sizes of a ladder become students, and what is no size is refused before any work."""

from __future__ import annotations

import pytest

from evalkit.errors import SpecError
from evalkit.spec.distill import Distill
from evalkit.spec.rungs import TeacherShape, shapes_of

TEACHER = TeacherShape(layers=6, width=384)
DISTILL = Distill.model_validate({"cut_layers": [0, 2], "epochs": 3, "temperature": 4.0})


def test_each_size_is_the_same_distillation_of_another_shape() -> None:
    rungs = shapes_of("tiny, cut:0-2-4, 3x64,2×384,teacher", DISTILL, TEACHER)
    assert [rung.name for rung in rungs] == ["tiny", "cut:0-2-4", "3x64", "2×384", "teacher"]
    assert [None if rung.distill.encoder is None else rung.distill.encoder.shape for rung in rungs] == [
        (2, 128, 2), None, (3, 64, 1), (2, 384, 6), None,
    ]  # fmt: skip
    assert rungs[1].distill.cut_layers == (0, 2, 4)
    assert rungs[4].distill.cut_layers == (0, 1, 2, 3, 4, 5)
    assert {(rung.distill.epochs, rung.distill.temperature) for rung in rungs} == {(3, 4.0)}
    assert [rung.is_control for rung in rungs] == [False, False, False, False, True]


def test_an_encoder_as_large_as_the_teacher_is_a_control_too() -> None:
    assert [rung.is_control for rung in shapes_of("tiny,6x384", DISTILL, TEACHER)] == [False, True]


def test_what_the_spec_says_of_embeddings_stays() -> None:
    distill = Distill.model_validate({"encoder": {"size": "mini", "embeddings": "pca"}, "train_embeddings": False})
    tiny, cut = shapes_of("tiny,cut:0", distill, TEACHER)
    assert tiny.distill.encoder.embeddings == "pca"
    assert not tiny.distill.train_embeddings
    assert not cut.distill.train_embeddings


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ("tiny", "names 1 of the two rungs or more that a ladder needs"),
        ("", "names 0 of the two"),
        ("tiny,huge", "'huge', which is no size; give tiny, mini"),
        ("tiny,cut:", "'cut:', which is no size"),
        ("tiny,cut:0-6", "give rising numbers of the teacher's 6 layers, e.g. cut:0-5"),
        ("tiny,cut:2-0", "give rising numbers of the teacher's 6 layers"),
        ("tiny,cut:0-0", "give rising numbers of the teacher's 6 layers"),
        ("tiny,2x4", "2x4 does not go with student.distill: encoder.width is 4"),
        ("tiny,99x64", "99x64 does not go with student.distill: encoder.layers is 99"),
        ("mini,4x256", "4x256 and mini, which are one shape"),
        ("cut:0-1-2-3-4-5,teacher", "teacher and cut:0-1-2-3-4-5, which are one shape"),
        ("6x384,teacher", "only students of the teacher's size; add a smaller one"),
    ],
)
def test_what_is_no_ladder_is_refused_in_one_line(sizes: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        shapes_of(sizes, DISTILL, TEACHER)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_distillation_says_must_fit_every_rung() -> None:
    pca = Distill.model_validate({"encoder": {"size": "tiny", "embeddings": "pca"}})
    with pytest.raises(SpecError, match="small is 512 wide and its teacher 384"):
        shapes_of("tiny,small", pca, TEACHER)
    mapped = Distill.model_validate(
        {"cut_layers": [0, 1, 2], "objectives": [{"objective": "feature.hidden", "layers": {0: 0, 2: 5}}]}
    )
    with pytest.raises(SpecError, match=r"tiny has 2 layers, and feature\.hidden maps layer 2"):
        shapes_of("cut:0-1-2,tiny", mapped, TEACHER)
    frozen = Distill.model_validate({"cut_layers": [0], "train_embeddings": False})
    with pytest.raises(
        SpecError,
        match=r"tiny does not go with student.distill: the two together: train_embeddings is .*no embeddings to keep",
    ):
        shapes_of("cut:0,tiny", frozen, TEACHER)


def test_a_teacher_without_a_folder_has_nothing_to_cut() -> None:
    with pytest.raises(SpecError, match="cut:0, and the teacher has no layers to cut"):
        shapes_of("tiny,cut:0", DISTILL, None)
    assert not any(rung.is_control for rung in shapes_of("tiny,mini", DISTILL, None))
