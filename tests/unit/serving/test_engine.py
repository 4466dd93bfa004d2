"""The engine on a real, tiny model: right answers, and a refusal of every folder that cannot give them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from serving.engine import Engine
from serving.errors import InferenceError, ModelFolderError, ProviderError
from serving.manifest import model_version, read_manifest, write_manifest
from serving.provider import Provider
from serving.session import nvidia_driver_present
from tests.model_folders import LABELS, MAX_LENGTH, VOCABULARY, write_tiny_model, write_tiny_model_folder


def seal(folder: Path, labels: tuple[str, ...] = LABELS, max_length: int = MAX_LENGTH) -> None:
    """Write the manifest again, as a packager that made the same mistake would."""
    write_manifest(folder, name="tiny", labels=labels, max_length=max_length, precision="fp32", opset=17, provenance={})


def expected_probabilities(folder: Path, words: list[str]) -> np.ndarray:
    """The tiny model by hand: mean embedding of the tokens, times the weight, plus the bias, softmax."""
    weights = {
        item.name: numpy_helper.to_array(item).astype(np.float64)
        for item in onnx.load(str(folder / "model.onnx")).graph.initializer
    }
    ids = [VOCABULARY[word] for word in ("[CLS]", *words, "[SEP]")]
    logits = weights["embedding"][ids].mean(axis=0) @ weights["weight"] + weights["bias"]
    result: np.ndarray = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    return result


def test_probabilities_are_those_computed_by_hand_whatever_the_padding(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)

    found = engine.classify(["slow film", "a very good day the service not bad"]).probabilities

    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected_probabilities(tiny_model_folder, ["slow", "film"]), rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_the_engine_states_what_it_is(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)

    assert engine.labels == ("negative", "neutral", "positive")
    assert engine.name == "tiny"
    assert engine.provider is Provider.CPU
    assert engine.version == model_version(read_manifest(tiny_model_folder))


def test_offline_answers_keep_the_order_of_the_texts(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    rng = np.random.default_rng(7)
    words = [word for word in VOCABULARY if word.isalpha() and word != "poison"]
    texts = [" ".join(rng.choice(words, size=rng.integers(1, 25))) for _ in range(50)]

    together = engine.classify(texts, batch_rows=8)

    one_by_one = [engine.classify([text]) for text in texts]
    np.testing.assert_allclose(
        together.probabilities, np.concatenate([one.probabilities for one in one_by_one]), rtol=1e-5
    )
    assert together.truncated.tolist() == [bool(one.truncated[0]) for one in one_by_one]
    assert 0 < together.truncated.sum() < len(texts)


def test_no_text_gives_no_row(tiny_model_folder: Path) -> None:
    found = Engine.load(tiny_model_folder, provider=Provider.CPU).classify([])

    assert found.probabilities.shape == (0, 3)
    assert found.truncated.shape == (0,)


def test_a_text_is_truncated_only_beyond_the_maximum_length(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    room = MAX_LENGTH - 2  # beside [CLS] and [SEP]

    fits, cut = engine.encode(["day " * room, "day " * (room + 1)])

    assert (len(fits.ids), fits.truncated) == (MAX_LENGTH, False)
    assert (len(cut.ids), cut.truncated) == (MAX_LENGTH, True)


def test_logits_that_are_not_finite_raise_and_name_the_row(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)

    with pytest.raises(InferenceError, match="row 1 of 2 are not finite"):
        engine.logits(engine.encode(["good", "poison"]))


def test_a_lone_surrogate_is_named_by_its_position(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)

    with pytest.raises(InferenceError, match="text 1 of 2 is not valid Unicode"):
        engine.encode(["good", "\ud800"])


def test_token_type_ids_are_fed_to_a_graph_that_asks_for_them(tiny_model_folder: Path) -> None:
    plain = Engine.load(tiny_model_folder, provider=Provider.CPU).classify(["good day", "bad"])
    path = tiny_model_folder / "model.onnx"
    model = onnx.load(str(path))
    model.graph.input.append(helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["rows", "tokens"]))
    model.graph.node[0].input[1] = "shifted"
    model.graph.node.insert(0, helper.make_node("Add", ["input_ids", "token_type_ids"], ["shifted"]))
    onnx.save(model, str(path))
    seal(tiny_model_folder)

    found = Engine.load(tiny_model_folder, provider=Provider.CPU).classify(["good day", "bad"])

    np.testing.assert_array_equal(found.probabilities, plain.probabilities)


@pytest.mark.skipif(nvidia_driver_present(), reason="needs a machine without an NVIDIA driver")
def test_cuda_is_refused_where_it_does_not_compute(tiny_model_folder: Path) -> None:
    with pytest.raises(ProviderError, match=r"cuda was asked for, but the session runs on CPUExecution"):
        Engine.load(tiny_model_folder, provider=Provider.CUDA)


@pytest.mark.skipif(nvidia_driver_present(), reason="needs a machine without an NVIDIA driver")
def test_auto_takes_the_cpu_and_says_so_where_there_is_no_gpu(tiny_model_folder: Path) -> None:
    assert Engine.load(tiny_model_folder, provider=Provider.AUTO).provider is Provider.CPU


def test_auto_falls_to_the_cpu_when_a_driver_is_there_but_cuda_does_not_work(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if nvidia_driver_present():
        pytest.skip("CUDA may work here")
    monkeypatch.setattr("serving.engine.nvidia_driver_present", lambda: True)

    assert Engine.load(tiny_model_folder, provider=Provider.AUTO).provider is Provider.CPU


@pytest.mark.gpu
@pytest.mark.skipif(not nvidia_driver_present(), reason="needs an NVIDIA GPU")
def test_cuda_gives_the_cpu_answers(tiny_model_folder: Path) -> None:
    texts = ["good day", "bad film", "plain"]
    cuda = Engine.load(tiny_model_folder, provider=Provider.CUDA)
    cpu = Engine.load(tiny_model_folder, provider=Provider.CPU)

    assert cuda.provider is Provider.CUDA
    np.testing.assert_allclose(cuda.classify(texts).probabilities, cpu.classify(texts).probabilities, rtol=1e-3)


def test_a_file_changed_after_packaging_is_refused(tiny_model_folder: Path) -> None:
    write_tiny_model(tiny_model_folder / "model.onnx", outputs=3, seed=99)

    with pytest.raises(ModelFolderError, match="changed after packaging"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_model_is_refused_even_with_a_fresh_digest(tiny_model_folder: Path, kept: int) -> None:
    path = tiny_model_folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:kept])
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match=r"model\.onnx (is damaged|cannot be loaded)"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_a_damaged_tokenizer_is_refused_even_with_a_fresh_digest(tiny_model_folder: Path) -> None:
    path = tiny_model_folder / "tokenizer.json"
    path.write_text(path.read_text()[:-20])
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match=r"tokenizer\.json is no tokenizer"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c", "d")])
def test_labels_must_be_as_many_as_the_logits(tiny_model_folder: Path, labels: tuple[str, ...]) -> None:
    seal(tiny_model_folder, labels=labels)

    with pytest.raises(ModelFolderError, match=rf"but the manifest has {len(labels)} labels"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_a_maximum_length_without_room_for_text_is_refused(tiny_model_folder: Path) -> None:
    seal(tiny_model_folder, max_length=2)

    with pytest.raises(ModelFolderError, match="no room beside 2 special tokens"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


@pytest.mark.parametrize(
    ("padding", "message"),
    [({"direction": "left"}, "only right padding"), (None, "names no padding token")],
)
def test_a_tokenizer_that_cannot_pad_right_is_refused(
    tiny_model_folder: Path, padding: dict[str, str] | None, message: str
) -> None:
    path = tiny_model_folder / "tokenizer.json"
    stated = json.loads(path.read_text().replace("[PAD]", "[NOTHING]"))
    stated["padding"] = None if padding is None else {**stated["padding"], "direction": "Left"}
    path.write_text(json.dumps(stated))
    Tokenizer.from_file(str(path))  # valid in itself
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match=message):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_external_data_is_refused_and_a_tensor_named(tiny_model_folder: Path) -> None:
    path = tiny_model_folder / "model.onnx"
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match=r"keeps tensor '[a-z_]+' in another file"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_a_graph_that_asks_for_something_else_is_refused(tiny_model_folder: Path) -> None:
    path = tiny_model_folder / "model.onnx"
    model = onnx.load(str(path))
    model.graph.input[1].name = "pixel_values"
    model.graph.node[1].input[0] = "pixel_values"
    onnx.save(model, str(path))
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match=r"asks for inputs .*pixel_values"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_a_model_that_fails_within_its_stated_length_is_refused(tiny_model_folder: Path) -> None:
    path = tiny_model_folder / "model.onnx"
    model = onnx.load(str(path))
    for item in model.graph.input:
        item.type.tensor_type.shape.dim[1].dim_value = 8  # a graph exported for 8 tokens only
    onnx.save(model, str(path))
    seal(tiny_model_folder)

    with pytest.raises(ModelFolderError, match="does not answer texts up to max_length 16"):
        Engine.load(tiny_model_folder, provider=Provider.CPU)


def test_two_folders_of_different_seeds_answer_differently(tmp_path: Path) -> None:
    first, second = (
        Engine.load(write_tiny_model_folder(tmp_path / str(seed), seed=seed), provider=Provider.CPU) for seed in (0, 1)
    )

    assert first.version != second.version
    assert not np.allclose(first.classify(["day"]).probabilities, second.classify(["day"]).probabilities)
