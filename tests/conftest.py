"""Fixtures that several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_folders import write_tiny_model_folder


@pytest.fixture
def tiny_model_folder(tmp_path: Path) -> Path:
    """A fresh model folder with a real, tiny three-label classifier (see `tests/model_folders.py`)."""
    return write_tiny_model_folder(tmp_path / "tiny-model")
