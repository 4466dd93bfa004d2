"""The model folder's manifest: digests, strict reading, and the version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelFolderError
from serving.manifest import model_version, read_manifest, verify_files, write_manifest
from tests.model_folders import write_tiny_model_folder


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    where = folder / "manifest.json"
    stated = json.loads(where.read_text())
    change(stated)
    where.write_text(json.dumps(stated))


def test_a_written_manifest_reads_back_equal_and_verifies(tiny_model_folder: Path) -> None:
    written = write_manifest(
        tiny_model_folder,
        name="student-1",
        labels=["no", "yes", "maybe"],
        max_length=32,
        precision="int8",
        opset=17,
        provenance={"teacher": "big", "seed": 3},
    )

    assert read_manifest(tiny_model_folder) == written
    verify_files(tiny_model_folder, written)


def test_writing_leaves_no_partial_file_behind(tiny_model_folder: Path) -> None:
    names = {path.name for path in tiny_model_folder.iterdir()}
    assert names == {"manifest.json", "model.onnx", "tokenizer.json"}


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_one_changed_byte_fails_verification(tiny_model_folder: Path, file: str) -> None:
    path = tiny_model_folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelFolderError, match=rf"{file} has sha256 .* package the model again"):
        verify_files(tiny_model_folder, read_manifest(tiny_model_folder))


def test_a_missing_file_is_named(tiny_model_folder: Path) -> None:
    (tiny_model_folder / "tokenizer.json").unlink()

    with pytest.raises(ModelFolderError, match=r"tokenizer\.json cannot be read"):
        verify_files(tiny_model_folder, read_manifest(tiny_model_folder))


def test_a_link_that_leaves_the_folder_is_refused_even_with_the_right_digest(tiny_model_folder: Path) -> None:
    outside = tiny_model_folder.parent / "elsewhere.onnx"
    (tiny_model_folder / "model.onnx").rename(outside)
    (tiny_model_folder / "model.onnx").symlink_to(outside)

    with pytest.raises(ModelFolderError, match="leaves the model folder"):
        verify_files(tiny_model_folder, read_manifest(tiny_model_folder))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"nowhere.* give a model folder"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_a_manifest_that_is_no_json_object_is_refused(tiny_model_folder: Path, content: str) -> None:
    (tiny_model_folder / "manifest.json").write_text(content)

    with pytest.raises(ModelFolderError, match=r"manifest\.json"):
        read_manifest(tiny_model_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(label=["a", "b"]), "unknown key 'label'; remove it"),
        (lambda m: m.update(labls=m.pop("labels")), "unknown key 'labls'; did you mean 'labels'"),
        (lambda m: m.pop("max_length"), "key 'max_length' is missing"),
        (lambda m: m.update(format_version=2), "format_version is 2; this version reads 1"),
        (lambda m: m.update(format_version=True), "format_version is True"),
        (lambda m: m.update(name="../x"), "name is '../x'"),
        (lambda m: m.update(labels="ab"), "labels is 'ab'"),
        (lambda m: m.update(labels=["a", 1]), "labels is"),
        (lambda m: m.update(labels=["only"]), "labels has 1 label"),
        (lambda m: m.update(labels=["a", "b", "a"]), "labels has 'a' more than once"),
        (lambda m: m.update(max_length=0), "max_length is 0"),
        (lambda m: m.update(max_length=True), "max_length is True"),
        (lambda m: m.update(max_length="16"), "max_length is '16'"),
        (lambda m: m.update(precision=""), "precision is ''"),
        (lambda m: m.update(opset=17.0), "opset is 17.0"),
        (lambda m: m.update(provenance=None), "provenance is None"),
        (lambda m: m["files"].pop("model.onnx"), "files lacks 'model.onnx'"),
        (lambda m: m["files"].update({"../model.onnx": "0" * 64}), "leaves the model folder"),
        (lambda m: m["files"].update({"/etc/passwd": "0" * 64}), "leaves the model folder"),
        (lambda m: m["files"].update({"model.onnx": "abc"}), "digest 'abc'"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    tiny_model_folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(tiny_model_folder, change)

    with pytest.raises(ModelFolderError) as caught:
        read_manifest(tiny_model_folder)
    assert message in str(caught.value)


def test_writing_enforces_the_rules_of_reading(tiny_model_folder: Path) -> None:
    before = (tiny_model_folder / "manifest.json").read_bytes()
    usual: dict[str, Any] = {"name": "m", "max_length": 8, "precision": "fp32", "opset": 17}

    with pytest.raises(ModelFolderError, match="at least 2"):
        write_manifest(tiny_model_folder, labels=["one"], provenance={}, **usual)
    with pytest.raises(ModelFolderError, match="not plain JSON"):
        write_manifest(tiny_model_folder, labels=["a", "b"], provenance={"x": float("nan")}, **usual)
    assert (tiny_model_folder / "manifest.json").read_bytes() == before


def test_the_version_follows_what_decides_the_answers_and_nothing_else(tmp_path: Path) -> None:
    first = read_manifest(write_tiny_model_folder(tmp_path / "first"))
    other_weights = read_manifest(write_tiny_model_folder(tmp_path / "weights", seed=1))
    other_order = read_manifest(write_tiny_model_folder(tmp_path / "order", labels=("c", "b", "a")))
    folder = write_tiny_model_folder(tmp_path / "renamed")
    edit(folder, lambda stated: stated.update(name="renamed", provenance={}))
    renamed = read_manifest(folder)
    edit(folder, lambda stated: stated.update(max_length=8))
    shorter = read_manifest(folder)

    assert model_version(renamed) == model_version(first)
    assert len({model_version(one) for one in (first, other_weights, other_order, shorter)}) == 4
