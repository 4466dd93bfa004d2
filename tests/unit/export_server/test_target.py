"""The export's folder: whole or not at all, never over something else, with the digests of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from evalkit.export_server.errors import ExportError
from evalkit.export_server.source import Source, read_source
from evalkit.export_server.target import Existing, copy_model, target
from serving.errors import ModelFolderError


def write(
    folder: Path,
    model: Path,
    existing: Existing = Existing.REFUSE,
    *,
    name: str = "hello",
    source: Source | None = None,
) -> None:
    source = source or read_source(model)
    with target(folder, existing, source) as inside:
        (inside / name).write_text("hello")
        copy_model(source, inside / "model")


def test_an_export_says_what_it_is_and_sums_every_file(tiny_model_folder, tmp_path):
    write(tmp_path / "out", tiny_model_folder)
    stated = json.loads((tmp_path / "out" / "export.json").read_text())
    source = read_source(tiny_model_folder)
    assert (stated["model"], stated["model_version"], stated["verdict"]) == ("tiny", source.version, None)
    assert stated["files"] == source.manifest.files
    lines = (tmp_path / "out" / "SHA256SUMS").read_text().splitlines()
    summed = dict(reversed(line.split("  ", 1)) for line in lines)
    found = {each for each in (tmp_path / "out").rglob("*") if each.is_file() and each.name != "SHA256SUMS"}
    assert summed == {
        str(each.relative_to(tmp_path / "out")): hashlib.sha256(each.read_bytes()).hexdigest() for each in found
    }


def test_an_earlier_export_is_replaced_only_when_asked(tiny_model_folder, tmp_path):
    write(tmp_path / "out", tiny_model_folder, name="first")
    with pytest.raises(ExportError, match="is not empty; give another folder, or --force"):
        write(tmp_path / "out", tiny_model_folder, name="second")
    assert (tmp_path / "out" / "first").exists()
    write(tmp_path / "out", tiny_model_folder, Existing.REPLACE, name="second")
    assert (tmp_path / "out" / "second").exists()
    assert not (tmp_path / "out" / "first").exists()


def test_an_empty_folder_is_taken(tiny_model_folder, tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", tiny_model_folder)
    assert (tmp_path / "out" / "hello").exists()


def test_what_no_export_wrote_is_never_replaced(tiny_model_folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(ExportError, match="holds something that no export wrote"):
        write(tmp_path / "out", tiny_model_folder, Existing.REPLACE)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("where", [".", "..", "inside", "../tiny-model"])
def test_a_place_that_holds_the_model_is_refused(tiny_model_folder, where):
    with pytest.raises(ExportError, match="holds the model folder or lies in it"):
        write(tiny_model_folder / where, tiny_model_folder, Existing.REPLACE)
    read_source(tiny_model_folder)


def test_a_file_in_the_place_is_refused(tiny_model_folder, tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(ExportError, match="is a file"):
        write(tmp_path / "out", tiny_model_folder, Existing.REPLACE)


def test_a_place_that_cannot_be_made_is_one_line(tiny_model_folder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="cannot be made"):
        write(tmp_path / "file" / "out", tiny_model_folder)


def test_an_export_that_breaks_leaves_the_earlier_one_and_no_rest(tiny_model_folder, tmp_path):
    write(tmp_path / "place" / "out", tiny_model_folder)
    before, source = sorted((tmp_path / "place").rglob("*")), read_source(tiny_model_folder)
    (tiny_model_folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "place" / "out", tiny_model_folder, Existing.REPLACE, source=source)
    assert sorted((tmp_path / "place").rglob("*")) == before


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_model_whose_digest_does_not_verify_is_no_source(tiny_model_folder, file):
    (tiny_model_folder / file).write_bytes(b"other")
    with pytest.raises(ModelFolderError, match=f"{file} has sha256"):
        read_source(tiny_model_folder)


def test_what_is_no_folder_is_no_source(tmp_path):
    with pytest.raises(ExportError, match="is not a folder; give a run folder or a model folder"):
        read_source(tmp_path / "none")
