"""`python -m serving MODEL_FOLDER`: the command line of the server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.provider import Provider
from serving.server import EXIT_USAGE, serve
from serving.settings import ServerSettings, SettingsError

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit status (see `serve`)."""
    given = _parser().parse_args(arguments)
    options = vars(given)
    folder: Path = options.pop("model_folder")
    core: int | None = options.pop("core")
    stop_on_stdin_eof: bool = options.pop("stop_on_stdin_eof")
    try:
        settings = ServerSettings(**{**options, "provider": Provider(options["provider"])})
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    try:
        return serve(folder, settings, core=core, stop_on_stdin_eof=stop_on_stdin_eof)
    except KeyboardInterrupt:  # while loading; once it serves, a signal drains it
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    usual = ServerSettings()
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve a text classifier over HTTP.",
        epilog="One JSON line on stdout says when the server answers. SIGTERM lets accepted requests finish.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model_folder", type=Path, help="folder with manifest.json, model.onnx, tokenizer.json")
    parser.add_argument("--host", default=usual.host, help="address to listen on")
    parser.add_argument("--port", type=int, default=usual.port, help="TCP port; 0 takes a free one")
    parser.add_argument("--threads", type=int, default=usual.threads, help="compute threads of one batch")
    parser.add_argument(
        "--provider",
        choices=[provider.value for provider in Provider],
        default=usual.provider.value,
        help="execution provider; cpu and cuda are strict, auto takes cuda only where it works",
    )
    for name, help_text in _NUMBERS.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=int, default=getattr(usual, name), help=help_text)
    parser.add_argument("--core", type=int, help="pin the process to this processor core, where possible")
    parser.add_argument(
        "--stop-on-stdin-eof",
        action="store_true",
        help="end at once when stdin closes, as with a killed parent",
    )
    return parser


_NUMBERS = {
    "max_batch_rows": "texts computed together at most",
    "queue_limit_rows": "texts that may wait; beyond it requests get 503",
    "max_request_rows": "texts in one request at most",
    "max_body_bytes": "size of a request body at most",
    "keep_alive_s": "idle seconds before a connection is closed",
    "drain_s": "seconds given to accepted requests after a stop signal",
}


if __name__ == "__main__":
    sys.exit(main())
