"""Draw a six-language data set of voice-command intents from Home Assistant's sentence templates.

Writes train.parquet, held_out.parquet and card.json. The held-out set holds whole templates: no template and
no sentence is on both sides. The same seed gives the same files, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import packages  # noqa: E402
from intent_rows import DRAWS_PER_TEMPLATE, HELD_OUT_SHARE, Row, SlotError, draw_rows, split_by_template  # noqa: E402

PACKAGE = packages.Package(
    requirement="home-assistant-intents==2026.10.27",
    form="--only-binary",
    file_name="home_assistant_intents-2026.10.27-py3-none-any.whl",
    sha256="256eb1e4fc6e6f4943d0ba4e089c9639d74d0e9d62ccddeb7148bc168de55e40",
)
LICENSE = "Apache-2.0"
LANGUAGES = ("en", "de", "nl", "fr", "es", "it")
MIN_LANGUAGES = 5  # an intent must be at home in: all but one
RECIPE = ("prepare.py", "intent_rows.py", "slot_values.json")


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if is_complete(options.out, options.seed):
        print(f"{options.out} is complete for seed {options.seed}; nothing to do")
        return 0
    try:
        documents = read_documents(packages.download(PACKAGE, options.cache or options.out / "cache"))
        fillers = json.loads((HERE / "slot_values.json").read_text(encoding="utf-8"))
        draw = draw_rows(documents, fillers, seed=options.seed, min_languages=MIN_LANGUAGES)
    except (packages.SourceError, SlotError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    train, held_out = split_by_template(draw.rows, seed=options.seed)
    write(options.out, train, held_out, describe(train, held_out, draw.left_out, options.seed))
    print(table(train, held_out, draw.left_out))
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "build", help="folder of the files (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws and the split (%(default)s)")
    parser.add_argument("--cache", type=Path, help="folder that keeps the downloaded package (OUT/cache)")
    return parser.parse_args(argv)


def described_package() -> dict[str, str | None]:
    """The package as the data card names it."""
    return {"requirement": PACKAGE.requirement, "sha256": PACKAGE.sha256, "license": LICENSE}


def is_complete(out: Path, seed: int) -> bool:
    """True when ``out`` holds the undamaged files of this seed, package and recipe."""
    try:
        card = json.loads((out / "card.json").read_text(encoding="utf-8"))
        same = (card["seed"], card["package"], card["recipe_sha256"]) == (seed, described_package(), recipe_sha256())
        return same and all(packages.sha256_of(out / name) == digest for name, digest in card["files"].items())
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return False


def read_documents(wheel: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(wheel) as archive:
        return [json.loads(archive.read(f"home_assistant_intents/data/{name}.json")) for name in LANGUAGES]


def describe(train: Sequence[Row], held_out: Sequence[Row], left_out: Mapping[str, int], seed: int) -> dict[str, Any]:
    """The data card: where the rows come from, how they were made, and how many there are of each kind."""
    sides = {"train": train, "held_out": held_out}
    return {
        "package": described_package(),
        "hassil": version("hassil"),
        "recipe_sha256": recipe_sha256(),
        "seed": seed,
        "draws_per_template": DRAWS_PER_TEMPLATE,
        "held_out_share_of_templates": HELD_OUT_SHARE,
        "label": "intent",
        "cluster": "template",
        "intents": sorted({row.intent for row in [*train, *held_out]}),
        "rows": {side: len(rows) for side, rows in sides.items()},
        "templates": {side: len({row.template for row in rows}) for side, rows in sides.items()},
        "rows_by": {
            column: {side: _counts(rows, column) for side, rows in sides.items()}
            for column in ("language", "intent", "length")
        },
        "left_out": dict(left_out),
    }


def _counts(rows: Sequence[Row], column: str) -> dict[str, int]:
    return dict(sorted(Counter(getattr(row, column) for row in rows).items()))


def recipe_sha256() -> str:
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in RECIPE)).hexdigest()


def write(out: Path, train: Sequence[Row], held_out: Sequence[Row], card: Mapping[str, Any]) -> None:
    """Write the three files; each appears whole or not at all, the card that vouches for the rows last."""
    out.mkdir(parents=True, exist_ok=True)
    sides = {"train.parquet": train, "held_out.parquet": held_out}
    for name, rows in sides.items():
        _write_parquet(out / name, rows)
    digests = {name: packages.sha256_of(out / name) for name in sides}
    partial = out / "card.json.partial"
    text = json.dumps({**card, "files": digests}, indent=2, ensure_ascii=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(out / "card.json")


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    schema = pa.schema([(field.name, pa.string()) for field in fields(Row)])
    partial = path.with_name(path.name + ".partial")
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), partial)
    partial.replace(path)


def table(train: Sequence[Row], held_out: Sequence[Row], left_out: Mapping[str, int]) -> str:
    head = f"{'language':<10}{'intents':>9}{'templates':>11}{'training':>10}{'held out':>10}"
    by_language = [_line(name, _of_language(train, name), _of_language(held_out, name)) for name in LANGUAGES]
    reasons = [f"left out: {count} {reason}" for reason, count in left_out.items()]
    return "\n".join([head, *by_language, _line("all", train, held_out), *reasons])


def _of_language(rows: Sequence[Row], language: str) -> list[Row]:
    return [row for row in rows if row.language == language]


def _line(name: str, train: Sequence[Row], held_out: Sequence[Row]) -> str:
    rows = [*train, *held_out]
    intents, templates = len({row.intent for row in rows}), len({row.template for row in rows})
    return f"{name:<10}{intents:>9,}{templates:>11,}{len(train):>10,}{len(held_out):>10,}"


if __name__ == "__main__":
    sys.exit(main())
