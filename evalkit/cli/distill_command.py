"""`evalkit distill`: the teacher's and the training stages alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from evalkit.workflow.distilling import Distilled


def distill(
    spec: Annotated[Path, typer.Argument(help="The question: gate.yaml, with student.distill.")],
    run: Annotated[Path | None, typer.Option("--run", help="The run folder; runs/TASK-DIGEST by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Train the student that gate.yaml describes, and export it, without judging it.

    Killed and started again, it goes on from the last checkpoint. evalkit check finds the student in the same run
    folder and does not train it again.

    Exit code: 0 done, 2 usage or spec error, 4 the training broke, 130 interrupted.

    Example: [bold]evalkit distill gate.yaml[/]
    """
    with boundary():
        from evalkit.cli.progress import reporter
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.check import default_run_folder
        from evalkit.workflow.distilling import distil_alone

        loaded = load_spec(spec)
        made = distil_alone(loaded, run or default_run_folder(loaded), reporter())
        if as_json:
            places = {made.kind: str(made.weights), "served": str(made.served)}
            print(json.dumps({**made.training, **places}, indent=2, ensure_ascii=False))
        else:
            _print(made)


def _print(made: Distilled) -> None:
    from rich.console import Console

    from evalkit.cli.tables import print_figures

    facts = [(name.replace("_", " "), _stated(value)) for name, value in made.training.items()]
    print_figures("distilled", facts, Console())
    print(f"{'Hugging Face' if made.kind == 'hugging_face' else made.kind} folder: {made.weights}")
    print(f"served ONNX folder: {made.served}")


def _stated(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
