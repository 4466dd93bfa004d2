"""A build context for container images of this project's server with the model inside: CPU and CUDA."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from evalkit.export_server.errors import ExportError
from evalkit.export_server.permission import verdict_line
from evalkit.export_server.placement import Device, Placement
from evalkit.export_server.rendering import rendered
from evalkit.export_server.requirements import OWN, own_version, pinned, serving_packages
from evalkit.export_server.serving_command import PORT, serving_command
from evalkit.export_server.source import Source
from evalkit.export_server.target import copy_model

BASE = "python:3.11-slim-bookworm"
IN_IMAGE = "/model"
DOCKERFILES = {Device.CPU: "Dockerfile", Device.CUDA: "Dockerfile.cuda"}
REQUIREMENTS = {Device.CPU: "requirements.txt", Device.CUDA: "requirements.cuda.txt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerOptions:
    """``wheel`` is a wheel of this project to install; without one pip looks on the package index."""

    wheel: Path | None = None
    threads: int = 1
    max_batch_rows: int = 16


def write_docker(source: Source, folder: Path, options: DockerOptions) -> None:
    """Writes Dockerfile, Dockerfile.cuda, their requirements, .dockerignore, ``model/``, ``wheel/`` and README.md.

    The server alone is installed, without what only the gate needs (pandas, SciPy, the report's charts).

    Raises:
        ExportError: ``wheel`` is not a wheel of this project.
    """
    copy_model(source, folder / "model")
    if options.wheel is not None:
        _check_wheel(options.wheel)
        (folder / "wheel").mkdir()
        shutil.copyfile(options.wheel, folder / "wheel" / options.wheel.name)
    for device, name in DOCKERFILES.items():
        placement = Placement(provider=device, threads=options.threads, max_batch_rows=options.max_batch_rows)
        text = rendered(
            "docker/Dockerfile.j2",
            base=BASE,
            name=source.manifest.name,
            version=source.version,
            verdict=verdict_line(source),
            digests=source.manifest.files,
            requirements=REQUIREMENTS[device],
            wheel=None if options.wheel is None else options.wheel.name,
            package=f"{OWN}=={own_version()}",
            port=PORT,
            command=json.dumps(serving_command(IN_IMAGE, placement)),
        )
        (folder / name).write_text(text, encoding="utf-8")
        (folder / REQUIREMENTS[device]).write_text(pinned(serving_packages(device)), encoding="utf-8")
    ignored = ["*", "!model", "!wheel", *(f"!{each}" for each in REQUIREMENTS.values())]
    (folder / ".dockerignore").write_text("\n".join(ignored) + "\n", encoding="utf-8")
    readme = rendered(
        "docker/README.md.j2",
        name=source.manifest.name,
        version=source.version,
        verdict=verdict_line(source),
        wheel=options.wheel,
        package=f"{OWN}=={own_version()}",
        base=BASE,
        port=PORT,
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _check_wheel(wheel: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise ExportError(
            f"--wheel {wheel} cannot be read as a wheel ({error}); build one with `pip wheel --no-deps .`"
        ) from error
    if not wheel.name.startswith("evalkit_gate-") or "serving/__main__.py" not in names:
        raise ExportError(f"--wheel {wheel} is no wheel of {OWN}; build one with `pip wheel --no-deps .`")
