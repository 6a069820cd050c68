"""`automl`: the commands' signatures, and the edge at which every error becomes one readable paragraph.

Commands import what they need when they run: `automl --help` answers in well under a second.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from automl_assets.cli.edge import emit, interrupted, report, unexpected
from automl_assets.core.errors import AutoMLError, ConfigError

USAGE_ERROR = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="automl",
    help="A table and ten lines of YAML become a cleaned, tuned, registered, scored and monitored model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
Table = Annotated[Path, typer.Argument(help="A CSV, TSV or Parquet file, also gzipped or zipped.")]
Name = Annotated[str, typer.Argument(help="The pipeline's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded with your name.")]


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 success, 2 what the user can mend, 1 the rest, 130 Ctrl-C."""
    argv = sys.argv[1:] if arguments is None else arguments
    leave(run(argv))


def leave(code: int) -> NoReturn:
    """End the process at once: tearing down MLflow, pandas and the like takes over a second and serves nobody."""
    import atexit

    atexit._run_exitfuncs()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(argv: list[str]) -> int:
    """Run a command; its exit code."""
    as_json = "--json" in argv
    try:
        result = app(argv, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return report(interrupted(), as_json)
    except AutoMLError as error:
        return report(error, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the process's edge: a bug still gets a paragraph, and its traceback a file
        if not isinstance(error, USAGE_ERROR):
            return report(unexpected(error), as_json)
        if type(error).__name__ == "NoArgsIsHelpError":
            return 0
        message: str = error.format_message()  # type: ignore[attr-defined]
        return report(ConfigError(message, code="usage", remedy="See `automl --help`."), as_json)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    from automl_assets.cli.logs import set_up_logging

    set_up_logging(os.environ.get("AUTOML_LOG_FORMAT", "text"))
    if version:
        from automl_assets.core.provenance import package_version

        print(package_version())
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


# ---- tables ----------------------------------------------------------------------------------------------------


@app.command()
def init(
    table: Table,
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    name: Annotated[str | None, typer.Option("--name", help="The pipeline's name; the file's by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Infer a pipeline from a file and write its defs.yaml."""
    from automl_assets.cli import tables
    from automl_assets.cli.display import print_init

    emit(tables.init(table, target, name), as_json, print_init)


@app.command()
def profile(
    table: Table,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one page.")] = None,
    contract: Annotated[Path | None, typer.Option("--contract", help="Write a data contract that it suggests.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report the quality of any file."""
    from automl_assets.cli import tables
    from automl_assets.cli.display import print_profile

    emit(tables.profile(table, html=html, contract=contract), as_json, print_profile)


@app.command()
def clean(
    table: Table,
    out: Annotated[Path, typer.Option("--out", help="Where the repaired copy goes; the plan and the log beside it.")],
    plan: Annotated[Path | None, typer.Option("--plan", help="Replay a plan instead of making one.")] = None,
    structural: Annotated[
        bool, typer.Option("--structural", help="Also drop and retype columns, not only repair cells.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Repair any file; every change is logged."""
    from automl_assets.cli import tables
    from automl_assets.cli.display import print_clean

    emit(tables.clean(table, out, plan=plan, structural=structural), as_json, print_clean)


@app.command()
def drift(
    reference: Annotated[Path, typer.Argument(help="The older file.")],
    current: Annotated[Path, typer.Argument(help="The newer file.")],
    as_json: AsJson = False,
) -> None:
    """Compare two files feature by feature."""
    from automl_assets.cli import tables
    from automl_assets.cli.display import print_drift

    emit(tables.drift(reference, current), as_json, print_drift)


# ---- pipelines -------------------------------------------------------------------------------------------------


@app.command("list")
def list_pipelines(as_json: AsJson = False) -> None:
    """The pipelines, their last run and their champion."""
    from automl_assets.cli import pipelines
    from automl_assets.cli.display import print_list

    emit(pipelines.list_pipelines(), as_json, print_list)


@app.command()
def show(
    name: Name,
    version: Annotated[str | None, typer.Argument(help="A registered version; the champion by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """One pipeline, or one of its versions, in full."""
    from automl_assets.cli import pipelines
    from automl_assets.cli.display import print_show

    emit(pipelines.show(name, version), as_json, print_show)


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="The pipeline's name; all of them by default.")] = None,
    as_json: AsJson = False,
) -> int:
    """Dry run: is the source reached, the target present, the budget sensible?"""
    from automl_assets.cli import pipelines
    from automl_assets.cli.display import print_check

    document = pipelines.check(name)
    emit(document, as_json, print_check)
    return 0 if all(found["ok"] for found in document["pipelines"]) else 2


@app.command()
def features(as_json: AsJson = False) -> None:
    """The named configurations of features, and which pipelines use them."""
    from automl_assets.cli.display import print_features
    from automl_assets.cli.features import list_features

    emit(list_features(), as_json, print_features)


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Is this installation in order?"""
    from automl_assets.cli import pipelines
    from automl_assets.cli.display import print_doctor

    document = pipelines.doctor()
    emit(document, as_json, print_doctor)
    return 0 if all(found["ok"] for found in document["checks"]) else 1


@app.command("run")
def run_pipeline(
    name: Name,
    until: Annotated[str | None, typer.Option("--until", help="Stop after this asset.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE over the YAML, such as tuning.time_budget_seconds=60.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do everything again, also what is up to date.")] = False,
    as_json: AsJson = False,
) -> int:
    """Read missing batches, train, score and compare; Ctrl-C keeps the best model so far."""
    from automl_assets.cli import run as runs

    return runs.run_command(name, until=until, overrides=overrides or [], force=force, as_json=as_json)


@app.command()
def backfill(
    name: Name,
    first: Annotated[str, typer.Option("--from", metavar="BATCH", help="The first batch, or the first day.")],
    last: Annotated[str, typer.Option("--to", metavar="BATCH", help="The last one, included.")],
    force: Annotated[bool, typer.Option("--force", help="Compute again what is up to date.")] = False,
    as_json: AsJson = False,
) -> int:
    """Read, score and compare old batches in one process; monitoring records it and does not act."""
    from automl_assets.cli.backfill import backfill_command

    return backfill_command(name, first, last, force=force, as_json=as_json)


# ---- models ----------------------------------------------------------------------------------------------------


@app.command()
def predict(
    name: Name,
    table: Table,
    out: Annotated[Path, typer.Option("--out", help="Where predictions go: .csv, .tsv or .parquet.")],
    explain: Annotated[
        int,
        typer.Option(
            "--explain",
            metavar="N",
            min=0,
            help="Say for the first N rows by how much each column moved the value or the probability, in "
            "OUT.explanations.jsonl, a line a row, largest first; base and contributions add up to the output. "
            "Private and text columns are named without their value. It takes at most a minute.",
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a file with the champion."""
    from automl_assets.cli import models
    from automl_assets.cli.display_models import print_predicted

    emit(models.predict(name, table, out, explain), as_json, print_predicted)


@app.command("report")
def model_report(
    name: Name,
    version: Annotated[str | None, typer.Argument(help="A registered version; the champion by default.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the page goes; NAME-VERSION.html here by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One self-contained HTML page about a registered version, from what was stored of it."""
    from automl_assets.cli import report as reports
    from automl_assets.cli.display_models import print_report

    emit(reports.write_report(name, version, out), as_json, print_report)


@app.command()
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="The version that becomes the champion.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, by hand."""
    from automl_assets.cli import models
    from automl_assets.cli.display import print_act

    emit(models.promote(name, version, reason), as_json, print_act)


@app.command()
def rollback(name: Name, reason: Reason, as_json: AsJson = False) -> None:
    """Make the champion before this one the champion again."""
    from automl_assets.cli import models
    from automl_assets.cli.display import print_act

    emit(models.rollback(name, reason), as_json, print_act)


@app.command()
def compare(
    name: Name,
    first: Annotated[str, typer.Argument(metavar="V1", help="A version.")],
    second: Annotated[str, typer.Argument(metavar="V2", help="The version that is held against it.")],
    as_json: AsJson = False,
) -> None:
    """Two versions on the stored rows that neither was trained on."""
    from automl_assets.cli import models
    from automl_assets.cli.display_models import print_compare

    emit(models.compare(name, first, second), as_json, print_compare)


@app.command()
def reproduce(
    name: Name,
    version: Annotated[str, typer.Argument(help="A registered version.")],
    as_json: AsJson = False,
) -> int:
    """Make a version again from what is recorded of it: "identical", or the first difference."""
    from automl_assets.cli.reproduce import reproduce_command

    return reproduce_command(name, version, as_json=as_json)


# ---- monitoring ------------------------------------------------------------------------------------------------


@app.command()
def history(
    name: Name,
    most: Annotated[int, typer.Option("--most", min=1, help="How many of each, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Every verdict, action and move of the champion, with its reasons."""
    from automl_assets.cli import watch
    from automl_assets.cli.display_watch import print_history

    emit(watch.history(name, most), as_json, print_history)


@app.command()
def review(
    name: Name,
    accept: Annotated[str | None, typer.Option("--accept", metavar="ID", help="Take the batch, or retrain.")] = None,
    reject: Annotated[str | None, typer.Option("--reject", metavar="ID", help="Leave the batch out, or don't.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded with your name.")] = "",
    as_json: AsJson = False,
) -> None:
    """What waits for a person's answer, or the answer to it."""
    from automl_assets.cli import watch
    from automl_assets.cli.display_watch import print_review

    emit(watch.review(name, accept, reject, reason), as_json, print_review)


@app.command()
def alerts(name: Name, as_json: AsJson = False) -> int:
    """Send a test message to every channel that hears of a pipeline."""
    from automl_assets.cli import alerts as channels

    document = channels.send_test(name)
    emit(document, as_json, channels.print_alerts)
    return 0 if all(found["ok"] for found in document["channels"]) else 1


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="The Dagster UI's port; the next free one is taken.")] = 3000,
    mlflow_port: Annotated[int, typer.Option("--mlflow-port", help="MLflow's.")] = 5000,
) -> int:
    """The Dagster UI with its daemon, and MLflow's, on this machine. Ctrl-C ends them."""
    from automl_assets.cli import ui as servers

    return servers.serve(port, mlflow_port)
