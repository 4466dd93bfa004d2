"""`evalkit variants`: what less precision saves, and which answers it changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from evalkit.packaging.trade import Variant


def variants(
    source: Annotated[Path, typer.Argument(help="A finished run, or an fp32 model folder.", metavar="RUN")],
    texts: Annotated[Path, typer.Option(help="A table of texts that nothing else rests on.")],
    column: Annotated[str, typer.Option(help="The table's column of texts.")] = "text",
    calibration_rows: Annotated[int, typer.Option(min=1, help="Of them, for int8_static; half at most.")] = 256,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Keep the model folders here.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads of one batch.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often every variant is timed, in turns.")] = 9,
) -> None:
    """Make fp16, int8_dynamic and int8_static of an fp32 model, and compare them with it on the CPU.

    The texts that int8_static takes its ranges from are not among those that are compared.

    To have the gate judge one of them, give serve.precision in gate.yaml.

    Example: [bold]evalkit variants runs/channel-sentiment-1a2b3c4d --texts train.parquet[/]
    """
    with boundary():
        import tempfile

        from rich.console import Console

        from evalkit.export_server.source import read_source
        from evalkit.packaging.package import calibration_texts
        from evalkit.packaging.trade import variants as made

        if out is not None and out.exists():
            fail(f"{out} exists; remove it or name another folder", 2)
        folder = read_source(source).folder
        given = _texts(texts, column)
        calibration = calibration_texts(given, (), min(calibration_rows, len(given) // 2))
        compared = [text for text in given if text not in set(calibration)]
        with tempfile.TemporaryDirectory() as scratch:
            lines = made(folder, out or Path(scratch), compared, calibration, threads=threads, rounds=rounds)
        console = Console()
        console.print(_table(lines))
        console.print(
            f"against fp32 on {lines[0].parity.texts:,} texts, int8_static from {len(calibration):,} others; flips "
            "with Clopper and Pearson's 0.95 interval; speeds by the engine on the CPU, in turns, ÷ fp32",
            highlight=False,
        )
        if out is not None:
            print(f"the model folders are in {out}")


def _texts(path: Path, column: str) -> list[str]:
    from evalkit.data.reading import read_table, require_columns

    table = read_table(path, "--texts")
    require_columns(table, [column], "--texts")
    return list(dict.fromkeys(table[column].dropna().astype(str)))


def _table(lines: Sequence[Variant]) -> Table:
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for heading in ("variant", "MB", "max |Δlogit|", "flips", "ms alone", "÷ fp32", "texts/s of 16", "÷ fp32"):
        table.add_column(heading, justify="left" if heading == "variant" else "right", no_wrap=True)
    for each in lines:
        parity = each.parity
        table.add_row(
            each.precision,
            f"{each.megabytes:.2f}",
            f"{parity.largest_logit_difference:.2g}",
            f"{parity.label_flips} ({parity.flips_lower:.1%} to {parity.flips_upper:.1%})",
            f"{each.speed.ms:.2f}",
            f"{each.ms_ratio:.2f}",
            f"{each.speed.texts_per_s:,.0f}",
            f"{each.texts_per_s_ratio:.2f}",
        )
    return table
