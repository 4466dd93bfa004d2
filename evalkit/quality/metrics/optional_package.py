"""Packages that only some metrics need."""

from __future__ import annotations

import importlib.util

from evalkit.errors import SpecError


def require_package(package: str, metric: str) -> None:
    """Raises SpecError that names the extra to install where ``package`` is not there."""
    if importlib.util.find_spec(package) is None:
        raise SpecError(
            f"metric {metric} needs the package {package}, which is not installed; "
            "run: pip install 'evalkit-gate[generation]'"
        )
