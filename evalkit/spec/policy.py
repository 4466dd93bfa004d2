"""Policies: bars that many gates share, as plain YAML under the gate's own words."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evalkit.errors import SpecError
from evalkit.spec.refusals import one_line
from evalkit.spec.requirements import Requirements
from evalkit.spec.section import Section
from evalkit.spec.subpopulations import Discovery, Subpopulations
from evalkit.spec.yaml_text import parse_yaml

PRESETS = ("strict", "balanced", "exploratory")
POLICY = "policy"


class Policy(Section):
    """What a policy may say."""

    requirements: Requirements = Requirements()
    subpopulations: Subpopulations = Subpopulations()
    discovery: Discovery | None = None


SECTIONS = tuple(Policy.model_fields)


def preset_text(name: str) -> str:
    """The YAML of a preset, with its comments. Raises SpecError for a name that is none."""
    if name not in PRESETS:
        raise SpecError(f"policy {name} is not known; there are {', '.join(PRESETS)}")
    return resources.files("evalkit.spec").joinpath("policies", f"{name}.yaml").read_text(encoding="utf-8")


def under(content: dict[Any, Any], folder: Path, name: str) -> dict[Any, Any]:
    """``content`` with its policy laid under it: what the gate says itself wins, key by key."""
    chosen = content.get(POLICY)
    if chosen is None:
        return content
    if not isinstance(chosen, str):
        raise SpecError(f"{name}: policy is {chosen!r}; give {', '.join(PRESETS)} or a YAML file")
    return _merged(_read(chosen, folder, name), content)


def _read(chosen: str, folder: Path, name: str) -> dict[Any, Any]:
    if chosen in PRESETS:
        return _checked(parse_yaml(preset_text(chosen), f"policy {chosen}"), f"policy {chosen}")
    path = folder / chosen
    if not path.is_file():
        raise SpecError(
            f"{name}: policy '{chosen}' is neither a preset ({', '.join(PRESETS)}) nor a file; correct it, or write "
            "one with `evalkit policy balanced > policy.yaml`"
        )
    try:
        return _checked(parse_yaml(path.read_text(encoding="utf-8"), str(path)), str(path))
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text in UTF-8 ({error.reason}); save it as UTF-8") from error


def _checked(policy: Any, name: str) -> dict[Any, Any]:
    if not isinstance(policy, dict):
        raise SpecError(f"{name} holds no sections; a policy has {', '.join(SECTIONS)}")
    for key in policy:
        if key not in SECTIONS:
            raise SpecError(f"{name}: a policy cannot set '{key}'; it has {', '.join(SECTIONS)}")
    try:
        Policy.model_validate(policy)
    except ValidationError as error:
        # What the gate overrides is checked here too. What is missing here may stand in the gate.
        wrong = [each for each in error.errors() if each["type"] != "missing"]
        if wrong:
            raise SpecError(f"{name}: {one_line(wrong)}") from error
    return policy


def _merged(below: dict[Any, Any], above: dict[Any, Any]) -> dict[Any, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
