"""From gate.yaml's text to a checked spec and its digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evalkit.errors import SpecError
from evalkit.spec.contradictions import Contradiction, refuse_contradictions
from evalkit.spec.gate import GateSpec
from evalkit.spec.policy import under
from evalkit.spec.refusals import refusal
from evalkit.spec.yaml_text import parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """A spec with the folder that its paths are relative to."""

    spec: GateSpec
    path: Path
    digest: str

    def resolve(self, path: str) -> Path:
        """A path of the spec as an absolute one."""
        return (self.path.parent / path).resolve()


def load_spec(path: Path) -> LoadedSpec:
    """Reads and checks gate.yaml. Raises SpecError with one line that names key, value, rule, remedy."""
    if not path.is_file():
        raise SpecError(f"{path} does not exist; write one with `evalkit init DATA`")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text in UTF-8 ({error.reason}); save it as UTF-8") from error
    spec = parse_spec(text, str(path), path.parent)
    return LoadedSpec(spec=spec, path=path.resolve(), digest=spec_digest(spec))


def parse_spec(text: str, name: str, folder: Path | None = None) -> GateSpec:
    """The spec in ``text``; ``name`` is how errors call it. A policy file is looked for in ``folder``."""
    content = parse_yaml(text, name)
    if not isinstance(content, dict):
        raise SpecError(f"{name} holds no sections; write one with `evalkit init DATA`")
    try:
        spec = GateSpec.model_validate(under(content, folder or Path(), name))
        refuse_contradictions(spec)
    except ValidationError as error:
        raise SpecError(f"{name}: {refusal(error)}") from error
    except Contradiction as error:
        raise SpecError(f"{name}: {error}") from error
    return spec


def spec_digest(spec: GateSpec) -> str:
    """sha256 of what is asked, whatever its layout, comments and order of keys."""
    return hashlib.sha256(canonical_json(spec.model_dump(mode="json")).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
