"""The folder of a torch module of the user's own, and what it says of itself.

FOLDER/module.json         function, arguments, labels, seed, digest of the code that it was trained with
FOLDER/model.safetensors   the module's state_dict
FOLDER/tokenizer.json …    the fast tokenizer

No code lies in the folder, and none that lies there is run: opening it calls the function that gate.yaml names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evalkit.errors import ModelError

MODULE_FILE = "module.json"
FORMAT = 1


class OwnFolder(BaseModel):
    """module.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    function: str
    """package.module:function."""
    arguments: dict[str, Any]
    labels: tuple[str, ...]
    """In logit order."""
    seed: int
    """torch's, before the function is called."""
    code_sha256: str
    """Of the code that it was trained with."""


def is_own_folder(folder: Path) -> bool:
    """Whether the folder holds a torch module of somebody's own."""
    return (folder / MODULE_FILE).is_file()


def read_own_folder(folder: Path) -> OwnFolder:
    """What module.json says. Raises ModelError where it is damaged or of another version of evalkit."""
    path = folder / MODULE_FILE
    try:
        stated = OwnFolder.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(f"{path}: {where}: {first['msg']}; train the student again") from error
    if stated.format != FORMAT:
        raise ModelError(
            f"{path} has format {stated.format}, and this evalkit reads {FORMAT}; take the one that wrote it"
        )
    return stated


def write_own_folder(folder: Path, stated: OwnFolder) -> None:
    """Writes module.json."""
    text = json.dumps(stated.model_dump(), indent=1, ensure_ascii=False)
    (folder / MODULE_FILE).write_text(text + "\n", encoding="utf-8")


def refuse_other_function(folder: Path, stated: str, given: str | None) -> None:
    """Raises ModelError unless gate.yaml names the function that the folder was made by: a folder may not choose what
    code is run."""
    if given is None:
        raise ModelError(
            f"{folder} holds a torch module made by {stated}; give the ONNX folder that was made of it, or, where that "
            "is code of your own, give it as student.load with student.function"
        )
    if given != stated:
        raise ModelError(f"{folder} holds a torch module made by {stated}, and gate.yaml names {given}; correct one")
