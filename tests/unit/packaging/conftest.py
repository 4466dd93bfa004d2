"""One tiny trained model for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.modelling.loading import TextClassifier, load_classifier
from evalkit.packaging.export import export
from tests.tiny_classifiers import write_tiny_teacher


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> TextClassifier:
    """Three layers, 32 wide."""
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("packaging-teacher"), steps=40))


@pytest.fixture(scope="session")
def tiny_fp32(tiny_classifier: TextClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its fp32 model folder, of which nothing may be changed."""
    folder = tmp_path_factory.mktemp("packaging-fp32") / "model"
    export(tiny_classifier, folder, name="tiny", max_length=32, provenance={"role": "student", "run": "tiny-1a2b3c4d"})
    return folder
