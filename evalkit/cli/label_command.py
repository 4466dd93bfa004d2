"""`evalkit label`: a teacher behind an API labels the training and the held-out texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from evalkit.teachers.estimate import Estimate


def label(
    spec: Annotated[Path, typer.Argument(help="The question: gate.yaml, with teacher.api and teacher.terms.")],
    run: Annotated[Path | None, typer.Option("--run", help="The run folder; runs/TASK-DIGEST by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask nothing; print requests, tokens and price.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Ask the API teacher for the label of every training and held-out text, and keep each answer as it comes.

    Killed and started again, it asks only for what has no answer. Answers outside the labels are kept and counted.

    Exit code: 0 all asked, 2 usage, key, quota, model or budget, 4 some texts have no answer or the disk is full.

    Example: [bold]evalkit label gate.yaml --dry-run[/]
    """
    with boundary():
        from dataclasses import asdict

        from evalkit.cli.progress import reporter
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.check import default_run_folder
        from evalkit.workflow.labelling import ANSWERS, estimates
        from evalkit.workflow.labelling import label as ask

        loaded = load_spec(spec)
        root = run or default_run_folder(loaded)
        if dry_run:
            made = estimates(loaded, root)
            _show(as_json, {part: asdict(each) for part, each in made.items()}, _estimate_lines(made))
            return
        done = ask(loaded, root, reporter())
        lines = [
            line
            for each in done
            for line in (*_count_lines(each.part, each.counts), f"  {each.stage.folder / ANSWERS}")
        ]
        _show(as_json, {each.part: each.counts for each in done}, lines)


def _show(as_json: bool, content: Mapping[Any, Any], lines: Iterable[str]) -> None:
    if as_json:
        print(json.dumps({str(part): each for part, each in content.items()}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines))


def _estimate_lines(made: Mapping[Any, Estimate]) -> Iterable[str]:
    for part, each in made.items():
        yield (
            f"{part}: {each.requests:,} requests ({each.wanted:,} answers wanted, {each.found:,} kept already), about "
            f"{each.about_input_tokens:,} tokens in (at most {each.most_input_tokens:,}), at most "
            f"{each.most_output_tokens:,} out"
        )
    about = [each.about_usd for each in made.values() if each.about_usd is not None]
    most = [each.most_usd for each in made.values() if each.most_usd is not None]
    if about:
        yield f"price: about {sum(about):.4f} USD, at most {sum(most):.4f}, without requests that have to be repeated"
    else:
        yield "price: unknown; give teacher.api.prices"
    yield "nothing was asked"


def _count_lines(part: str, counts: Mapping[str, Any]) -> Iterable[str]:
    spent = f", {counts['usd']:.4f} USD" if counts["usd"] else ""
    yield (
        f"{part}: {counts['rows']:,} rows, {counts['rows_labelled']:,} labelled, {counts['rows_outside']:,} answered "
        f"outside the labels, {counts['rows_unanswered']:,} without an answer"
    )
    yield (
        f"  {counts['sent']:,} requests sent, {counts['answered']:,} answered ({counts['empty']:,} empty), "
        f"{counts['found']:,} kept already; {counts['input_tokens']:,} tokens in, {counts['output_tokens']:,} out"
        f"{spent}"
    )
    for what in ("repeated", "refused"):
        if counts[what]:
            yield f"  {what}: " + ", ".join(f"{count:,} × {why}" for why, count in counts[what].items())
    if counts["outside_most_common"]:
        said = ", ".join(f"{text!r} {count:,}" for text, count in counts["outside_most_common"].items())
        yield f"  outside the labels: {said}"
