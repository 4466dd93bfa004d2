"""The commands. Each one's help is its manual page."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.boundary import boundary
from evalkit.cli.capacity_command import capacity
from evalkit.cli.distill_command import distill
from evalkit.cli.export_server_command import export_server
from evalkit.cli.label_command import label
from evalkit.cli.ladder_command import ladder
from evalkit.cli.learning_curve_command import learning_curve
from evalkit.cli.load_command import load
from evalkit.cli.metrics_command import metrics
from evalkit.cli.override_command import override
from evalkit.cli.plan_command import plan
from evalkit.cli.policy_command import policy
from evalkit.cli.selfcheck_command import selfcheck
from evalkit.cli.variants_command import variants

app = typer.Typer(
    name="evalkit",
    help="The release gate for distilled models: may this student replace its teacher?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]


class ReportFormat(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def init(
    data: Annotated[Path, typer.Argument(help="A table of held-out rows: CSV, Parquet or JSONL.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")] = Path("gate.yaml"),
) -> None:
    """Write a commented gate.yaml from a table's own columns.

    Example: [bold]evalkit init held_out.parquet[/]
    """
    with boundary():
        import datetime

        from evalkit.cli.init_command import write_template

        write_template(data, output, datetime.date.today().isoformat())
        print(f"{output} is written; fill in teacher, student and cost, then run: evalkit check {output}")


def check(
    spec: Annotated[Path, typer.Argument(help="The question: gate.yaml.")],
    run: Annotated[Path | None, typer.Option("--run", help="The run folder; runs/TASK-DIGEST by default.")] = None,
    as_json: Json = False,
) -> None:
    """Run the whole gate and give its verdict. Killed and started again, it goes on where it stopped.

    Exit code: 0 GO, 1 NO-GO, 2 usage or spec error, 3 INCONCLUSIVE, 4 the gate itself failed, 130 interrupted.

    Example: [bold]evalkit check examples/channel_sentiment/gate.yaml[/]
    """
    with boundary():
        from evalkit.cli.progress import reporter
        from evalkit.cli.writing import write_reports
        from evalkit.record.layout import RunFolder
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.check import check as run_gate
        from evalkit.workflow.check import default_run_folder

        loaded = load_spec(spec)
        root = run or default_run_folder(loaded)
        print(f"spec {loaded.digest[:12]} is recorded in {root} before anything is evaluated", file=sys.stderr)
        record = run_gate(loaded, root, reporter())
        folder = RunFolder(root)
        write_reports(record, folder)
        if as_json:
            print(folder.verdict.read_text(encoding="utf-8"), end="")
        else:
            from rich.console import Console

            from evalkit.cli.tables import print_verdict

            print_verdict(record, Console())
            print(f"report: {folder.report_html}")
        raise typer.Exit(record.verdict.exit_code)


def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    form: Annotated[ReportFormat, typer.Option("--format", help="html is written into the run folder.")] = (
        ReportFormat.HTML
    ),
) -> None:
    """Write a run's report again, from its record alone.

    Example: [bold]evalkit report runs/channel-sentiment-1a2b3c4d --format md[/]
    """
    with boundary():
        from evalkit.cli.writing import write_reports
        from evalkit.record.layout import RunFolder
        from evalkit.record.run_record import read_record

        record = read_record(run)
        folder = RunFolder(run)
        if form is ReportFormat.JSON:
            print(folder.record.read_text(encoding="utf-8"), end="")
            return
        write_reports(record, folder)
        if form is ReportFormat.MARKDOWN:
            print(folder.report_markdown.read_text(encoding="utf-8"), end="")
        else:
            print(folder.report_html)


def serve(context: typer.Context) -> None:
    """Serve a model folder: evalkit serve MODEL_FOLDER [OPTIONS]. SIGTERM lets accepted requests finish.

    Texts by POST /v1/classify, tensors by the Open Inference Protocol over REST and, with --grpc-port, over gRPC.
    `evalkit serve --help` lists every option: batching, limits, keys, TLS, workers, logs.

    Example: [bold]evalkit serve runs/channel-sentiment-1a2b3c4d/stages/student-model/KEY/model --port 8080[/]
    """
    with boundary():
        from serving.__main__ import main as serving_main

        raise typer.Exit(serving_main(context.args, context.command_path))


PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""serve has its own options and help."""

for command in (  # in the order of --help: ask, judge, train, serve, measure, look up
    init,
    plan,
    selfcheck,
    check,
    report,
    override,
    label,
    distill,
    ladder,
    learning_curve,
    variants,
    serve,
    export_server,
    load,
    capacity,
    policy,
    metrics,
):
    app.command(context_settings=PASSED_ON if command is serve else None)(command)


def main() -> None:
    """The entry point of the command line."""
    app()
