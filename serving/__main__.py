"""`python -m serving MODEL_FOLDER`: the command line of the server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from serving.provider import Provider
from serving.server import EXIT_USAGE, serve
from serving.settings import ServerSettings, SettingsError, flag_of, meaning_of

EXIT_INTERRUPTED = 130
PROGRAM = "python -m serving"


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Parse the command line of `program` and serve; returns the exit status (see `serve`)."""
    given = parser(program).parse_args(arguments)
    options = vars(given)
    folder: Path = options.pop("model_folder")
    cores: tuple[int, ...] = options.pop("core")
    stop_on_stdin_eof: bool = options.pop("stop_on_stdin_eof")
    try:
        settings = ServerSettings(**{**options, "provider": Provider(options["provider"])})
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    try:
        return serve(folder, settings, cores=cores, stop_on_stdin_eof=stop_on_stdin_eof)
    except KeyboardInterrupt:  # while loading; once it serves, a signal drains it
        return EXIT_INTERRUPTED


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """A flag for every setting, and those of the process itself."""
    described = argparse.ArgumentParser(
        prog=program,
        description="Serve a text classifier over HTTP.",
        epilog="One JSON line on stdout says when the server answers. SIGTERM lets accepted requests finish.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    described.add_argument("model_folder", type=Path, help="folder with manifest.json, model.onnx, tokenizer.json")
    for setting in fields(ServerSettings):
        described.add_argument(flag_of(setting.name), help=meaning_of(setting), **_value(setting))
    described.add_argument(
        "--core",
        type=_cores,
        default=(),
        metavar="CORE[,CORE...]",
        help="pin the process to this processor core, where possible; of several, worker i takes the i-th",
    )
    described.add_argument(
        "--stop-on-stdin-eof",
        action="store_true",
        help="end at once when stdin closes, as with a killed parent",
    )
    return described


def _value(setting: Field[Any]) -> dict[str, Any]:
    """How the command line reads a setting. Dataclass fields hold their types as they are written."""
    match setting.type:
        case "int" | "int | None":
            return {"type": int, "default": setting.default, "metavar": "N"}
        case "str":
            return {"default": setting.default, "metavar": setting.name.upper()}
        case "Path | None":
            return {"type": Path, "metavar": "PATH"}
        case "Provider":
            return {"choices": [provider.value for provider in Provider], "default": setting.default.value}
    raise TypeError(f"no flag can be made of setting {setting.name} of type {setting.type}")


def _cores(given: str) -> tuple[int, ...]:
    try:
        return tuple(int(core) for core in given.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{given!r} is no list of cores; give numbers such as 2,3") from error


if __name__ == "__main__":
    sys.exit(main())
