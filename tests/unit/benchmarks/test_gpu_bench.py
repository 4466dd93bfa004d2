"""All ways to the same logits agree, on the CPU everywhere and on CUDA where there is one."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.claims import ROOT
from benchmarks.gpu_bench.main import NO_GPU, Models, Shape, build, parity_claims, speed_claims, torch_cuda
from benchmarks.gpu_bench.ways import CPU, CUDA, io_binding, open_session, session_run, torch_eager
from serving.session import nvidia_driver_present

SMALL = Shape(layers=1, width=64, batches=(1, 4), parity_texts=16, rounds=1, seconds=0.01)
needs_gpu = pytest.mark.skipif(not nvidia_driver_present(), reason="needs an NVIDIA GPU")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return build(tmp_path_factory.mktemp("gpu"), SMALL)


def ways_agree(models: Models, device: str) -> None:
    feeds = models.classifier.feeds(models.texts[:4])
    session = open_session(models.fp32 / "model.onnx", device)
    expected = torch_eager(models.bert, "cpu")(feeds)

    bound = io_binding(session, device, next(iter(feeds.values())).shape, expected.shape[1])
    np.testing.assert_allclose(session_run(session)(feeds), expected, atol=1e-4)
    np.testing.assert_allclose(bound(feeds), expected, atol=1e-4)
    other = {name: value[::-1].copy() for name, value in feeds.items()}
    np.testing.assert_allclose(bound(other), expected[::-1], atol=1e-4)  # the buffers are filled anew


def test_all_ways_agree_on_the_cpu(models: Models) -> None:
    ways_agree(models, CPU)


@pytest.mark.gpu
@needs_gpu
def test_all_ways_agree_on_cuda(models: Models) -> None:
    ways_agree(models, CUDA)


@pytest.mark.gpu
@needs_gpu
def test_fp16_on_cuda_gives_the_labels_of_fp32(models: Models) -> None:
    assert all(each["holds"] for each in parity_claims(models, SMALL, CUDA))


@pytest.mark.gpu
@needs_gpu
def test_every_way_is_timed_on_cuda(models: Models) -> None:
    claims = speed_claims(models, SMALL, CUDA, torch_cuda())

    assert any(each["claim"] == "batch 4, IO binding, fp16" for each in claims)


def test_fp16_is_half_the_file_and_the_same_labels_even_on_the_cpu(models: Models) -> None:
    assert (models.fp16 / "model.onnx").stat().st_size < 0.6 * (models.fp32 / "model.onnx").stat().st_size
    for each in parity_claims(models, SMALL, CPU):
        assert each["holds"], each


def test_another_model_fails_parity(models: Models, tmp_path: Path) -> None:
    other = build(tmp_path, Shape(layers=2, width=64, batches=(1,), parity_texts=16))
    mixed = dataclasses.replace(models, fp16=other.fp16)

    missed = [each["claim"] for each in parity_claims(mixed, SMALL, CPU) if not each["holds"]]
    assert "fp16 on cpu: largest difference of a logit, 16 texts" in missed
    assert not any(name.startswith("fp32") for name in missed)


def test_a_torch_without_cuda_voids_its_claims_and_the_rest_is_measured(models: Models) -> None:
    claims = speed_claims(models, SMALL, CPU, torch_device=None)

    assert [each["claim"] for each in claims if "void" in each] == ["torch eager and torch.compile"]
    measured = {each["claim"] for each in claims}
    for rows in SMALL.batches:
        for way in (
            "engine, fp32",
            "engine, fp16",
            "session.run, fp32",
            "session.run, fp16",
            "IO binding, fp32",
            "IO binding, fp16",
        ):
            assert {f"batch {rows}, {way}", f"batch {rows}, {way}, p99"} <= measured


@pytest.mark.skipif(nvidia_driver_present(), reason="needs a machine without an NVIDIA driver")
def test_a_session_that_is_not_on_cuda_is_refused(models: Models) -> None:
    with pytest.raises(SystemExit, match="CUDAExecutionProvider was asked for"):
        open_session(models.fp32 / "model.onnx", CUDA)


@pytest.mark.skipif(nvidia_driver_present(), reason="needs a machine without an NVIDIA driver")
def test_without_a_gpu_the_script_says_so_in_one_line_and_succeeds() -> None:
    done = subprocess.run([sys.executable, "benchmarks/gpu.py"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == NO_GPU + "\n"


def test_fp16_keeps_the_types_of_inputs_and_logits(models: Models) -> None:
    session = open_session(models.fp16 / "model.onnx", CPU)

    assert {item.type for item in session.get_inputs()} == {"tensor(int64)"}
    assert [item.type for item in session.get_outputs()] == ["tensor(float)"]
