"""What must be installed where an export runs: at the versions that are installed here, where they are."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from typing import NamedTuple

OWN = "evalkit-gate"
# The builds of ONNX Runtime share their version numbers. That for CUDA finds its libraries in the packages its extras
# bring, and the server loads them from there.
RUNTIMES = {"cpu": "onnxruntime", "cuda": "onnxruntime-gpu[cuda,cudnn]"}
_REQUIREMENT = re.compile(r"(?P<package>(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?)(?P<limits>[^;]*);?(?P<marker>.*)")


class Stated(NamedTuple):
    """One requirement of this project, e.g. ``fastapi``, ``<1,>=0.115``, ``extra == "serve"``."""

    package: str
    limits: str
    marker: str


def pinned(packages: Iterable[str]) -> str:
    """requirements.txt: a package a line, at the version installed here, else within this project's own limits."""
    return "".join(f"{package}{_installed(package) or _limits(package)}\n" for package in packages)


def serving_packages(device: str) -> tuple[str, ...]:
    """What `python -m serving` needs: numpy, ONNX Runtime for ``device`` (cpu, cuda), and the rest of extra `serve`."""
    extra = [each.package for each in _stated() if 'extra == "serve"' in each.marker]
    return ("numpy", RUNTIMES[device], *(package for package in extra if not package.startswith("onnxruntime")))


def own_version() -> str:
    """The version of this project."""
    return importlib.metadata.version(OWN)


def _installed(package: str) -> str | None:
    name = _parsed(package)["name"]
    for candidate in ("onnxruntime-gpu", "onnxruntime") if name.startswith("onnxruntime") else (name,):
        try:
            return f"=={importlib.metadata.version(candidate)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _limits(package: str) -> str:
    return next(each.limits for each in _stated() if _parsed(each.package)["name"] == _parsed(package)["name"])


def _stated() -> list[Stated]:
    parsed = [_parsed(line) for line in importlib.metadata.requires(OWN) or ()]
    return [Stated(each["package"], each["limits"].strip(), each["marker"]) for each in parsed]


def _parsed(requirement: str) -> dict[str, str]:
    found = _REQUIREMENT.fullmatch(requirement)
    assert found is not None, requirement
    return found.groupdict()
