"""Precision variants of a really trained tiny model, with the real quantiser and the engine that serves them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from scipy.stats import beta

from evalkit.errors import DataError, ModelError, StageError
from evalkit.modelling.predicting import torch_logits
from evalkit.packaging.export import open_engine
from evalkit.packaging.package import Reduced, calibration_texts, reduce
from evalkit.packaging.parity import Parity, compare, flips_interval, refuse_difference, refuse_flips, served_logits
from evalkit.packaging.precision import Precision, texts_digest, write_variant
from serving.manifest import model_version, read_manifest
from tests.tiny_classifiers import texts_and_labels

INT8 = (Precision.INT8_DYNAMIC, Precision.INT8_STATIC)
REDUCED = (Precision.FP16, *INT8)
TEXTS = texts_and_labels(300, seed=4)["text"].tolist()
TRAIN = tuple(texts_and_labels(64, seed=5)["text"])


@pytest.fixture(scope="module")
def torchs(tiny_classifier):
    return torch_logits(tiny_classifier, TEXTS, 32)


@pytest.fixture(scope="module")
def made(tiny_fp32, tmp_path_factory) -> dict[Precision, Path]:
    root = tmp_path_factory.mktemp("variants")
    for precision in REDUCED:
        write_variant(tiny_fp32, root / precision, precision, TRAIN)
    return {precision: root / precision for precision in REDUCED}


def answers(folder: Path):
    return served_logits(open_engine(folder, "cpu", 1), TEXTS)


def asked(precision: Precision, **other) -> Reduced:
    given = {"calibration": TRAIN, "most_label_flips": 0.01, "provider": "cpu", "threads": 1}
    return Reduced(precision=precision, **(given | other))


@pytest.mark.parametrize("precision", REDUCED)
def test_every_variant_is_served_and_answers_nearly_as_torch_does(made, torchs, precision):
    parity = compare(torchs, answers(made[precision]), precision, "torch")
    assert 0 < parity.largest_logit_difference < 0.3
    assert refuse_flips(parity, 0.01).label_flips <= 3


@pytest.mark.parametrize(("precision", "most"), [(Precision.FP16, 0.6), (Precision.INT8_DYNAMIC, 0.6)])
def test_less_precision_is_a_smaller_file(made, tiny_fp32, precision, most):
    assert weights_bytes(made[precision]) < most * weights_bytes(tiny_fp32)


def weights_bytes(folder: Path) -> int:
    return sum(numpy_helper.to_array(each).nbytes for each in graph(folder).initializer)


def graph(folder: Path) -> onnx.GraphProto:
    return onnx.load(str(folder / "model.onnx")).graph


@pytest.mark.parametrize("precision", INT8)
def test_int8_weights_are_symmetric_with_a_scale_for_every_channel(made, precision):
    values = {each.name: numpy_helper.to_array(each) for each in graph(made[precision]).initializer}
    matrices = {name for name, value in values.items() if value.dtype == np.int8 and value.ndim == 2}
    points = [value for name, value in values.items() if value.dtype == np.int8 and value.ndim < 2]
    assert len(matrices) >= 3 * 6  # three layers, each with four attention products and two others
    assert all((point == 0).all() for point in points)
    assert sum(point.size > 1 for point in points) >= 3 * 6


def test_static_int8_keeps_its_scales_in_the_file_and_dynamic_finds_them_at_every_run(made):
    counted = {precision: Counter(node.op_type for node in graph(made[precision]).node) for precision in INT8}
    assert counted[Precision.INT8_STATIC]["QuantizeLinear"] > 0
    assert counted[Precision.INT8_STATIC]["DynamicQuantizeLinear"] == 0
    assert counted[Precision.INT8_DYNAMIC]["DynamicQuantizeLinear"] > 0


def test_half_precision_keeps_the_types_of_inputs_and_logits(made):
    half = graph(made[Precision.FP16])
    assert {each.data_type for each in half.initializer if each.dims} >= {TensorProto.FLOAT16}
    assert [each.type.tensor_type.elem_type for each in half.output] == [TensorProto.FLOAT]


def test_the_manifest_says_what_the_variant_was_made_of(made, tiny_fp32):
    static, dynamic = (read_manifest(made[precision]) for precision in (Precision.INT8_STATIC, Precision.INT8_DYNAMIC))
    assert (static.precision, static.opset) == ("int8_static", 17)
    assert static.provenance["run"] == "tiny-1a2b3c4d"
    assert static.provenance["fp32_version"] == model_version(read_manifest(tiny_fp32))
    assert static.provenance["calibration"] == {"texts": 64, "sha256": texts_digest(TRAIN)}
    assert "calibration" not in dynamic.provenance
    assert static.labels == read_manifest(tiny_fp32).labels
    assert len({model_version(each) for each in (static, dynamic, read_manifest(tiny_fp32))}) == 3


def test_other_calibration_texts_make_other_ranges(made, tiny_fp32, tmp_path):
    write_variant(tiny_fp32, tmp_path / "other", Precision.INT8_STATIC, ["the"])
    stated = read_manifest(tmp_path / "other")
    assert stated.files["model.onnx"] != read_manifest(made[Precision.INT8_STATIC]).files["model.onnx"]


def test_a_variant_of_a_variant_is_refused(made, tmp_path):
    with pytest.raises(ModelError, match=r"is fp16 already; a variant is made from an fp32 model folder"):
        write_variant(made[Precision.FP16], tmp_path / "twice", Precision.INT8_DYNAMIC)


def test_static_int8_without_texts_is_refused(tiny_fp32, tmp_path):
    with pytest.raises(ModelError, match=r"int8_static has no texts to find the range .*give training texts"):
        write_variant(tiny_fp32, tmp_path / "none", Precision.INT8_STATIC)


def test_the_variant_takes_the_place_of_fp32_once_its_flips_are_allowed(tiny_fp32, torchs, tmp_path):
    folder = copy_of(tiny_fp32, tmp_path)
    parity = reduce(folder, asked(Precision.INT8_DYNAMIC), TEXTS, lambda: torchs, "torch")
    assert read_manifest(folder).precision == parity.precision == "int8_dynamic"
    assert (parity.texts, parity.most_label_flips, parity.tolerance) == (300, 0.01, None)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def copy_of(fp32: Path, tmp_path: Path) -> Path:
    write_variant(fp32, tmp_path / "model", Precision.FP32)
    return tmp_path / "model"


@pytest.mark.parametrize("precision", REDUCED)
def test_labels_swapped_after_the_quantisation_are_found(tiny_fp32, torchs, tmp_path, monkeypatch, precision):
    plant(monkeypatch, lambda name, value: value[..., ::-1] if "classifier" in name else value)
    folder = copy_of(tiny_fp32, tmp_path)
    with pytest.raises(
        StageError,
        match=rf"{precision} flips \d+ of 300 labels against torch \(\d+.\d%, at least \d+.\d%\); "
        r"serve.most_label_flips allows 1.0%. Choose another serve.precision",
    ):
        reduce(folder, asked(precision), TEXTS, lambda: torchs, "torch")
    assert read_manifest(folder).precision == "fp32"


@pytest.mark.parametrize("precision", INT8)
def test_heavily_clipped_weights_are_found(tiny_fp32, torchs, tmp_path, monkeypatch, precision):
    plant(monkeypatch, lambda _, value: value.clip(-2, 2) if value.dtype == np.int8 and value.ndim == 2 else value)
    with pytest.raises(StageError, match="labels against torch"):
        reduce(copy_of(tiny_fp32, tmp_path), asked(precision), TEXTS, lambda: torchs, "torch")


def plant(monkeypatch, spoil) -> None:
    """Spoils the variant's file before it is opened, and seals it again, as a faulty quantiser would."""
    import evalkit.packaging.package as package
    from serving.manifest import write_manifest

    def faulty(source: Path, folder: Path, precision: Precision, calibration):
        stated = write_variant(source, folder, precision, calibration)
        model = onnx.load(str(folder / "model.onnx"))
        weights = {name for node in model.graph.node if "classifier" in node.name for name in node.input}
        for each in model.graph.initializer:
            value = numpy_helper.to_array(each)
            spoilt = spoil(f"classifier {each.name}" if each.name in weights else each.name, value)
            each.CopyFrom(numpy_helper.from_array(spoilt.copy(order="C"), each.name))
        onnx.save(model, str(folder / "model.onnx"))
        fields = {key: getattr(stated, key) for key in ("name", "labels", "max_length", "opset", "provenance")}
        return write_manifest(folder, precision=precision, **fields)

    monkeypatch.setattr(package, "write_variant", faulty)


@pytest.mark.parametrize(("flips", "texts"), [(0, 50), (3, 300), (7, 256), (50, 50)])
def test_the_interval_of_the_flips_is_clopper_and_pearsons(flips, texts):
    """Their bounds are quantiles of beta distributions (Biometrika 26, 1934, 404-413)."""
    lower = beta.ppf(0.025, flips, texts - flips + 1) if flips else 0.0
    upper = beta.ppf(0.975, flips + 1, texts - flips) if flips < texts else 1.0
    assert flips_interval(flips, texts) == pytest.approx((lower, upper), abs=1e-9)


def test_flips_are_refused_only_where_their_share_is_certainly_too_large():
    def parity(flips: int) -> Parity:
        expected = np.tile(np.float32([1, 0]), (256, 1))
        served = expected.copy()
        served[:flips] = [0, 1]
        return compare(expected, served, Precision.INT8_DYNAMIC, "torch")

    assert refuse_flips(parity(6), 0.01).flips_lower < 0.01
    with pytest.raises(StageError, match=r"int8_dynamic flips 7 of 256 labels .*2.7%, at least 1.1%"):
        refuse_flips(parity(7), 0.01)


def test_logits_that_are_no_numbers_are_no_parity(torchs):
    unknown = replace(compare(torchs, torchs, Precision.FP32, "torch"), largest_logit_difference=np.nan)
    with pytest.raises(StageError, match="differ"):
        refuse_difference(unknown, 1)


def test_calibration_texts_are_spread_over_the_table_and_never_held_out():
    train = [f"text {at}" for at in range(100)]
    chosen = calibration_texts(train, train[::2], 10)
    assert len(chosen) == 10
    assert not set(chosen) & set(train[::2])
    assert (chosen[0], chosen[-1]) == ("text 1", "text 99")
    with pytest.raises(DataError, match=r"no text that is not also held out"):
        calibration_texts(train, train, 10)


def test_a_digest_tells_texts_of_another_order_apart():
    assert texts_digest(["a", "b"]) != texts_digest(["b", "a"])
