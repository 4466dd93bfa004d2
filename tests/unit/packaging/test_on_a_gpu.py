"""The fp16 variant, made and compared on an NVIDIA GPU: `make gpu-check` runs it; elsewhere it is skipped."""

from __future__ import annotations

import pytest

from evalkit.modelling.predicting import torch_logits
from evalkit.packaging.export import open_engine
from evalkit.packaging.package import Reduced, reduce
from evalkit.packaging.parity import compare, refuse_difference, served_logits
from evalkit.packaging.precision import Precision, write_variant
from serving.manifest import read_manifest
from serving.provider import Provider
from serving.session import nvidia_driver_present
from tests.tiny_classifiers import texts_and_labels

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not nvidia_driver_present(), reason="needs an NVIDIA GPU"),
]
TEXTS = texts_and_labels(300, seed=4)["text"].tolist()


@pytest.fixture(scope="module")
def torchs(tiny_classifier):
    return torch_logits(tiny_classifier, TEXTS, 32)


def test_the_fp32_file_answers_on_cuda_as_torch_does(tiny_fp32, torchs):
    engine = open_engine(tiny_fp32, "cuda", 1)
    assert engine.provider is Provider.CUDA
    # 10 bits of TF32, which CUDA's matrix products may use
    assert refuse_difference(compare(torchs, served_logits(engine, TEXTS), Precision.FP32, "torch"), 2e-2).texts == 300


def test_fp16_takes_the_place_of_fp32_once_cuda_gives_its_labels(tiny_fp32, torchs, tmp_path):
    folder = tmp_path / "model"
    write_variant(tiny_fp32, folder, Precision.FP32)
    asked = Reduced(precision=Precision.FP16, calibration=(), most_label_flips=0.01, provider="cuda", threads=1)
    parity = reduce(folder, asked, TEXTS, lambda: torchs, "torch")
    assert (parity.precision, parity.texts, read_manifest(folder).precision) == ("fp16", 300, "fp16")
    assert parity.label_flips <= 3
    assert 0 < parity.largest_logit_difference < 0.1
