"""From gate.yaml's text to a checked spec and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evalkit.errors import SpecError
from evalkit.spec.contradictions import refuse_contradictions
from evalkit.spec.gate import GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """A spec with the folder that its paths are relative to."""

    spec: GateSpec
    path: Path
    digest: str

    def resolve(self, path: str) -> Path:
        """A path of the spec as an absolute one."""
        return (self.path.parent / path).resolve()


MERGE = "tag:yaml.org,2002:merge"


class EachKeyOnce(yaml.SafeLoader):
    """YAML in which a key may stand once only: otherwise the last one would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # the base class refuses it, with its place in the file
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' stands there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_spec(path: Path) -> LoadedSpec:
    """Reads and checks gate.yaml. Raises SpecError with one line that names key, value, rule, remedy."""
    if not path.is_file():
        raise SpecError(f"{path} does not exist; write one with `evalkit init DATA`")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text in UTF-8 ({error.reason}); save it as UTF-8") from error
    spec = parse_spec(text, str(path))
    return LoadedSpec(spec=spec, path=path.resolve(), digest=spec_digest(spec))


def parse_spec(text: str, name: str) -> GateSpec:
    """The spec in ``text``; ``name`` is how errors call it."""
    try:
        content = yaml.load(text, Loader=EachKeyOnce)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise SpecError(f"{name} is not valid YAML: {problem}") from error
    if not isinstance(content, dict):
        raise SpecError(f"{name} holds no sections; write one with `evalkit init DATA`")
    try:
        spec = GateSpec.model_validate(content)
    except ValidationError as error:
        raise SpecError(f"{name}: {_describe(error)}") from error
    refuse_contradictions(spec)
    return spec


def spec_digest(spec: GateSpec) -> str:
    """sha256 of what is asked, whatever its layout, comments and order of keys."""
    return hashlib.sha256(canonical_json(spec.model_dump(mode="json")).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _describe(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" is {given!r}" if isinstance(given, str | int | float | bool) else ""
    if first["type"] == "missing":
        return f"{where} is missing; add it"
    if first["type"] == "string_type":
        message += "; quote it if it is text"
    if first["type"] in ("less_than", "greater_than") and where.endswith("margin"):
        message += "; give a fraction in (0, 1), e.g. 0.05"
    return f"{where}{shown}: {message}"
