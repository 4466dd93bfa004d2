"""Writes the parts of the documentation that the code knows better: `python docs/generate.py [--check]`.

docs/gate.schema.json   JSON Schema of gate.yaml, for editors
docs/gate-reference.md  every key of gate.yaml with type, default and meaning
docs/commands.md        the help of every command
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from evalkit.spec.executor import LOCAL, RAY
from evalkit.spec.gate import GateSpec
from evalkit.spec.subpopulations import DERIVED

DOCS = Path(__file__).resolve().parent
COMMANDS = (
    "", "init", "plan", "selfcheck", "check", "report", "override", "label", "distill", "ladder", "learning-curve",
    "variants", "serve", "export-server", "load", "capacity", "policy", "metrics",
)  # fmt: skip


def schema() -> str:
    """The JSON Schema."""
    return json.dumps(json_schema(), indent=2) + "\n"


def json_schema() -> dict[str, Any]:
    """The schema with the short forms of a subpopulation and an executor, which the types accept before they check."""
    described = GateSpec.model_json_schema()
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = "gate.yaml of evalkit"
    described["$defs"]["Subpopulation"] = _subpopulation(described["$defs"]["Subpopulation"])
    controls = described["$defs"]["Controls"]
    described["$defs"]["Controls"] = {"anyOf": [controls["properties"]["against"], controls]}
    described["$defs"]["Executor"] = {"anyOf": [{"enum": [LOCAL, RAY]}, described["$defs"]["Executor"]]}
    return described


def _subpopulation(mapping: dict[str, Any]) -> dict[str, Any]:
    """A column's name, a list of names, or a mapping; one column's bins and quantiles need not name it."""
    column = {"anyOf": [{"enum": list(DERIVED)}, {"type": "string", "pattern": r"^(?!@)[\s\S]*\S"}]}
    columns = {"type": "array", "items": column, "minItems": 1, "uniqueItems": True}
    keys = mapping["properties"]
    one = {"anyOf": [column, {**columns, "maxItems": 1}]}
    short = {key: _with_short_form(keys[key]) for key in ("bins", "quantiles")}
    crossed = {**mapping, "properties": {**keys, "columns": {**columns, "minItems": 2}}}
    return {"anyOf": [column, columns, {**mapping, "properties": {**keys, **short, "columns": one}}, crossed]}


def _with_short_form(mapping: dict[str, Any]) -> dict[str, Any]:
    outside = {key: value for key, value in mapping.items() if key in ("description", "title")}
    inside = {key: value for key, value in mapping.items() if key not in outside}
    return {"anyOf": [inside, mapping["additionalProperties"]], **outside}


def reference() -> str:
    """A Markdown table a section."""
    definitions = GateSpec.model_json_schema()["$defs"]
    sections = [("gate.yaml", GateSpec.model_json_schema()), *definitions.items()]
    parts = ["# Every key of gate.yaml", "", "Made from the types in `evalkit/spec/`; `make docs` writes it anew.", ""]
    for name, section in sections:
        parts += [f"## {name}", "", section.get("description", "").split("\n\n")[0].replace("\n", " "), ""]
        parts += ["| key | type | default | meaning |", "|---|---|---|---|"]
        required = section.get("required", [])
        for key, described in section.get("properties", {}).items():
            default = _default(described, key in required)
            meaning = described.get("description", "").replace("\n", " ").replace("|", "\\|")
            parts.append(f"| `{key}` | {_type(described)} | {default} | {meaning} |")
        parts.append("")
    return "\n".join(parts)


def _default(described: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    if "default" not in described:
        return "none"
    if isinstance(described["default"], dict):
        return "its own defaults"
    return f"`{json.dumps(described['default'])}`"


def _type(described: dict[str, Any]) -> str:
    for key in ("anyOf", "oneOf"):
        if key in described:
            return " or ".join(_type(each) for each in described[key])
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in described:
        return " or ".join(f"`{value}`" for value in described["enum"])
    if "const" in described:
        return f"`{described['const']}`"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {described[key]:g}" for key, sign in limits.items() if key in described)
    kind = described.get("type", "any")
    if kind == "array":
        kind = f"list of {_type(described.get('items', {}))}"
    if isinstance(described.get("additionalProperties"), dict):
        kind = f"mapping to {_type(described['additionalProperties'])}"
    return f"{kind} {bounds}".strip()


def commands() -> str:
    """The help of every command, as an 100-column terminal shows it."""
    parts = ["# Commands", "", "What `--help` prints; `make docs` writes it anew.", ""]
    for command in COMMANDS:
        parts += [f"## evalkit {command}".rstrip(), "", "```", _help(command), "```", ""]
    return "\n".join(parts)


def _help(command: str) -> str:
    plain = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", *([command] if command else []), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **plain},
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def main() -> int:
    made = {"gate.schema.json": schema(), "gate-reference.md": reference(), "commands.md": commands()}
    stale = [name for name, text in made.items() if not (DOCS / name).is_file() or (DOCS / name).read_text() != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/{name} is out of date; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(made[name])
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
