"""The build context: two Dockerfiles, what they install, and nothing that they do not need."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from evalkit.export_server.docker import DockerOptions, write_docker
from evalkit.export_server.errors import ExportError
from evalkit.export_server.requirements import pinned, serving_packages
from evalkit.export_server.source import read_source

PROJECT = Path(__file__).parents[3]


def written(model: Path, folder: Path, **options) -> Path:
    folder.mkdir()
    write_docker(read_source(model), folder, DockerOptions(**options))
    return folder


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, arguments) in order, comments dropped and continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in joined]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "evalkit_gate-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serving/__main__.py", "")
    return path


@pytest.mark.parametrize(("name", "device"), [("Dockerfile", "cpu"), ("Dockerfile.cuda", "cuda")])
def test_the_image_runs_the_server_as_nobody_special_and_is_asked_for_its_health(
    tiny_model_folder, tmp_path, name, device
):
    found = instructions(written(tiny_model_folder, tmp_path / "out") / name)
    of = dict(found)
    assert of["FROM"] == "python:3.11-slim-bookworm"
    assert of["USER"] == "10001"
    assert [each for each, _ in found].index("USER") > [each for each, _ in found].index("RUN")
    command = json.loads(of["CMD"])
    assert command[:4] == ["python", "-m", "serving", "/model"]
    assert command[command.index("--host") + 1] == "0.0.0.0"
    assert command[command.index("--provider") + 1] == device
    assert of["EXPOSE"] == command[command.index("--port") + 1]
    assert "/v2/health/ready" in of["HEALTHCHECK"]
    assert ("COPY", "model/ /model/") in found
    for digest in read_source(tiny_model_folder).manifest.files.values():
        assert digest in of["LABEL"]


def test_the_images_install_what_the_extra_serve_says_with_the_runtime_of_their_device(tiny_model_folder, tmp_path):
    out = written(tiny_model_folder, tmp_path / "out")
    extra = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["serve"]
    for name, runtime in (
        ("requirements.txt", "onnxruntime=="),
        ("requirements.cuda.txt", "onnxruntime-gpu[cuda,cudnn]=="),
    ):
        lines = (out / name).read_text().splitlines()
        assert sum(line.startswith("onnxruntime") for line in lines) == 1
        assert any(line.startswith(runtime) for line in lines)
        for requirement in extra:
            package = requirement.split(">=")[0]
            if not package.startswith("onnxruntime"):
                assert any(line.startswith(f"{package}==") for line in lines), requirement


def test_a_package_that_is_not_installed_here_keeps_the_limits_of_this_project(monkeypatch):
    import importlib.metadata

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    lines = pinned(serving_packages("cpu")).splitlines()
    assert all(">=" in line and "<" in line for line in lines)
    assert any(line.startswith("onnxruntime<") or line.startswith("onnxruntime>") for line in lines)


def test_a_local_wheel_is_copied_and_installed(tiny_model_folder, tmp_path, wheel):
    out = written(tiny_model_folder, tmp_path / "out", wheel=wheel)
    assert (out / "wheel" / wheel.name).read_bytes() == wheel.read_bytes()
    found = instructions(out / "Dockerfile")
    assert ("COPY", "wheel/ wheel/") in found
    assert any(f"pip install --no-deps wheel/{wheel.name}" in words for each, words in found if each == "RUN")


def test_without_a_wheel_the_package_index_is_asked_and_the_readme_says_so(tiny_model_folder, tmp_path):
    out = written(tiny_model_folder, tmp_path / "out")
    assert not (out / "wheel").exists()
    assert any("--no-deps evalkit-gate==" in words for _, words in instructions(out / "Dockerfile"))
    assert "export again with `--wheel`" in (out / "README.md").read_text()
    assert "were not built" in (out / "README.md").read_text()


def test_only_what_is_copied_reaches_the_build(tiny_model_folder, tmp_path, wheel):
    out = written(tiny_model_folder, tmp_path / "out", wheel=wheel)
    first, *kept = (out / ".dockerignore").read_text().split()
    assert first == "*"
    copied = {
        words.split()[0].rstrip("/")
        for name in ("Dockerfile", "Dockerfile.cuda")
        for each, words in instructions(out / name)
        if each == "COPY"
    }
    assert {each.removeprefix("!") for each in kept} == copied
    assert all((out / each).exists() for each in copied)


def test_what_is_no_wheel_of_this_project_is_refused(tiny_model_folder, tmp_path, wheel):
    other = tmp_path / "numpy-2.0-py3-none-any.whl"
    other.write_bytes(wheel.read_bytes())
    empty = tmp_path / "evalkit_gate-9-py3-none-any.whl"
    zipfile.ZipFile(empty, "w").close()
    text = tmp_path / "evalkit_gate-8.whl"
    text.write_text("x")
    for at, (bad, message) in enumerate(
        [
            (other, "is no wheel of evalkit-gate"),
            (empty, "is no wheel of evalkit-gate"),
            (text, "cannot be read as a wheel"),
            (tmp_path / "none.whl", "cannot be read as a wheel"),
        ]
    ):
        with pytest.raises(ExportError, match=message):
            written(tiny_model_folder, tmp_path / str(at), wheel=bad)
