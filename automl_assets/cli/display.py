"""What people read: progress while a run goes on, results as small tables, errors as one paragraph."""

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from automl_assets.core.errors import AutoMLError
from automl_assets.core.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MARKS = {"done": "[green]✓[/]", "reused": "[blue]=[/]", "failed": "[red]✗[/]", "working": "[yellow]…[/]"}
PLAIN = {"done": "done", "reused": "reused", "failed": "FAILED"}
MOST_ROWS = 12


def out() -> "Console":
    """The console of results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> "Console":
    """The console of progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(error: AutoMLError) -> None:
    """One paragraph on stderr: what, where, what next."""
    from rich.markup import escape

    where = f"[dim]{escape(error.where)}:[/] " if error.where else ""
    remedy = f" {escape(error.remedy)}" if error.remedy else ""
    err().print(f"[red]Error:[/] {where}{escape(error.message)}{remedy}")


class RunDisplay:
    """A line a step, the current one with a clock; on no terminal a plain line when a step ends."""

    def __init__(self, pipeline: str, *, quiet: bool):
        self._pipeline = pipeline
        self._quiet = quiet
        self._lines: dict[str, tuple[str, str, float]] = {}
        self._current: tuple[str, str, float] | None = None
        self._live: Any = None

    def __enter__(self) -> Self:
        console = err()
        if not self._quiet and console.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the display; what it showed stays."""
        if self._live is not None:
            self._current = None
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """A sentence between the lines."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def __call__(self, progress: Progress) -> None:
        """Show a message."""
        now = time.monotonic()
        if progress.state == "waiting":
            self.say(progress.detail + ".")
        elif progress.state == "started":
            self._current = (progress.step, "", now)
        elif progress.state == "working":
            begun = self._current[2] if self._current and self._current[0] == progress.step else now
            self._current = (progress.step, progress.detail, begun)
        else:
            detail = self._current[1] if self._current and self._current[0] == progress.step else ""
            self._current = None
            self._lines[progress.step] = (progress.state, detail, progress.seconds)
            if self._live is None and not self._quiet:
                print(
                    f"{progress.step:20} {PLAIN[progress.state]:8} {progress.seconds:6.1f} s",
                    file=sys.stderr,
                    flush=True,
                )

    def _render(self) -> "Table":
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for step, (state, detail, seconds) in self._lines.items():
            table.add_row(
                MARKS[state], step, f"[dim]{seconds:5.1f} s[/]", f"[dim]{detail if state != 'reused' else 'reused'}[/]"
            )
        if self._current is not None:
            step, detail, begun = self._current
            table.add_row(MARKS["working"], f"[bold]{step}[/]", f"{time.monotonic() - begun:5.1f} s", detail)
        return table


# ---- results ---------------------------------------------------------------------------------------------------


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[int] = ()) -> "Table":
    """A small table; `right` are the positions of the columns that align right."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, name in enumerate(columns):
        justify = "right" if position in right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=not position)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def print_run(document: dict[str, Any]) -> None:
    """Leaderboard, holdout score with its baselines, the version, and what to type next."""
    console, name = out(), document["pipeline"]
    if document["status"] == "up_to_date":
        console.print(f"[green]{name} is up to date[/]: nothing to run.")
    if document.get("leaderboard"):
        columns = ["model", "score", "fit s", "ms/row", "rows/s", "MiB", "disk MiB"]
        rows = [
            (m["name"], f"{m['score']:.5g}", f"{m['fit_seconds']:.1f}", f"{m['row_ms']:.1f}",
             f"{m['rows_per_second']:,.0f}", f"{m['memory_mb']:.0f}", f"{m['size_mb']:.2f}")
            for m in document["leaderboard"][:MOST_ROWS]
        ]  # fmt: skip
        console.print()
        console.print(table_of(columns, rows, right=range(1, 7)))
    if "holdout" in document:
        _print_holdout(console, document)
    if "model" in document:
        model = document["model"]
        alias = model["alias"] or "not promoted"
        console.print(f"Registered as [bold]{name} version {model['version']}[/] ({alias}: {model['reason']}).")
    for warning in document["warnings"]:
        console.print(f"[yellow]Note:[/] {warning}", markup=True)
    if "model" in document:
        console.print(
            f"\nNext: [bold]automl ui[/] to look around, [bold]automl show {name}[/], "
            f"[bold]automl predict {name} TABLE --out predictions.csv[/]"
        )


def _print_holdout(console: "Console", document: dict[str, Any]) -> None:
    problem, holdout = document["problem"], document["holdout"]
    better = "higher" if holdout["higher_is_better"] else "lower"
    gain = holdout["gain_over_linear"]
    console.print(
        f"\n[bold]{problem['metric']} {holdout['value']:.5g}[/] [{holdout['low']:.5g}, {holdout['high']:.5g}] "
        f"on {problem['holdout_rows']:,} holdout rows ({better} is better; 95% interval); "
        f"linear {holdout['linear']:.5g}, dummy {holdout['dummy']:.5g}."
    )
    console.print(f"Gain over linear {gain['value']:+.4g} [{gain['low']:+.4g}, {gain['high']:+.4g}], paired bootstrap.")
    if "money" in holdout:
        money, rows = holdout["money"], holdout["money"]["rows"]
        low, saved, high = (rows * money["saved_usual"][key] for key in ("low", "value", "high"))
        against = rows * money["saved_constant"]["value"]
        console.print(
            f"Decisions by the stated costs save {saved:,.5g} [{low:,.5g}, {high:,.5g}] on the holdout against the "
            f"most probable class, and {against:,.5g} against always {money['constant']}.",
            markup=False,
        )


def print_init(document: dict[str, Any]) -> None:
    """What was understood, and what to type next."""
    from rich.markup import escape

    console, problem = out(), document["problem"]
    classes = f", {problem['classes']} classes" if problem["classes"] else ""
    console.print(
        f"[green]Wrote {_near(document['path'])}[/]: {problem['kind']}{classes}, judged by {problem['metric']}, "
        f"{document['rows']:,} rows, {document['features']} features."
    )
    for column, reason in document["excluded"].items():
        console.print(f"[yellow]Excluded {column}[/]: {reason}.")
    for warning in document["warnings"]:
        console.print(f"[yellow]Note:[/] {warning}")
    for finding in document["findings"]:
        where = f"{finding['column']}: " if finding["column"] else ""
        console.print(f"[yellow]Note:[/] {escape(where)}{finding['count']:,} × {finding['code']}: ", end="")
        console.print(finding["advice"], markup=False)
    console.print(f"\nNext: [bold]automl run {document['pipeline']}[/]")


def _near(path: str) -> str:
    """The path from here, where it lies below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def print_profile(document: dict[str, Any]) -> None:
    """Score, components, findings, columns."""
    console = out()
    parts = ", ".join(f"{name} {value:.1f}" for name, value in document["components"].items())
    console.print(f"[bold]Quality {document['score']:.1f}[/] of 100 ({parts}); {document['rows']:,} rows.\n")
    rows = [
        (c["name"], c["type"], c["role"], f"{c['missing_share']:.1%}", f"{c['distinct']:,}")
        for c in document["columns"]
    ]
    console.print(table_of(["column", "type", "role", "missing", "distinct"], rows, right=(3, 4)))
    if document["findings"]:
        console.print()
        found = [
            (f["severity"], f["column"] or "—", f["code"], f"{f['count']:,}", f["advice"]) for f in document["findings"]
        ]
        console.print(table_of(["", "column", "finding", "cells", "advice"], found, right=(3,)))
    for key in ("html", "contract"):
        if key in document:
            console.print(f"\nWrote {document[key]}")


def print_clean(document: dict[str, Any]) -> None:
    """What was changed, where and why."""
    console = out()
    console.print(
        f"[green]Wrote {document['out']}[/]: {document['changed_cells']:,} cells changed in {document['rows']:,} rows."
    )
    rows = [(o["operation"], o["column"], f"{o['changed']:,}", o["reason"]) for o in document["operations"]]
    if rows:
        console.print(table_of(["operation", "column", "cells", "why"], rows, right=(2,)))
    console.print(f"Plan: {document['plan']}\nChanges, a row a cell: {document['changes']}")


def print_drift(document: dict[str, Any]) -> None:
    """The answer, and each feature's evidence."""
    console = out()
    console.print(f"[bold]{document['status']}[/]: {document['share_drifted']:.0%} of the compared features drifted.")
    for reason in document["reasons"][:MOST_ROWS]:
        console.print(f"  {reason}", markup=False)
    shown = [
        (f["name"], f["test"], _short(f["effect"]), _short(f["psi"]), _short(f["q_value"]), f["reason"])
        for f in document["features"]
    ]
    console.print(table_of(["feature", "test", "effect", "PSI", "q", ""], shown, right=(2, 3, 4)))


def _short(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"


def print_list(document: dict[str, Any]) -> None:
    """A line a pipeline."""
    rows = [
        (
            p["name"],
            p["target"],
            p["champion"] or "—",
            p["score"] or "—",
            p["last_run"] or "never",
            p["last_status"] or "—",
        )
        for p in document["pipelines"]
    ]
    out().print(table_of(["pipeline", "target", "champion", "holdout", "last run", "status"], rows))


def print_show(document: dict[str, Any]) -> None:
    """Everything that is known, a line a fact."""
    console = out()
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(f"\n[bold]{key}[/]")
            console.print(table_of(list(value[0]), [list(row.values()) for row in value[:40]]))
        elif isinstance(value, dict):
            console.print(f"\n[bold]{key}[/]")
            console.print(table_of(["", ""], list(value.items())))
        else:
            console.print(f"[dim]{key}[/]  {value}", markup=True)


def print_check(document: dict[str, Any]) -> None:
    """A verdict a pipeline."""
    console = out()
    for found in document["pipelines"]:
        mark = "[green]✓[/]" if found["ok"] else "[red]✗[/]"
        console.print(f"{mark} [bold]{found['name']}[/]  ", end="")
        console.print(found["message"], markup=False)


def print_features(document: dict[str, Any]) -> None:
    """A line a configuration."""
    rows = [
        (
            found["name"],
            ", ".join(f"{key}: {value}" for key, value in found["recipe"].items()) or "—",
            found["told"] or found["from"],
            ", ".join(found["used_by"]) or "—",
        )
        for found in document["configurations"]
    ]
    out().print(table_of(["configuration", "states", "for", "used by"], rows))


def print_doctor(document: dict[str, Any]) -> None:
    """A verdict a part of the installation."""
    console = out()
    for found in document["checks"]:
        mark = "[green]✓[/]" if found["ok"] else "[red]✗[/]"
        console.print(f"{mark} {found['what']:22} ", end="")
        console.print(found["message"], markup=False)


def print_predict(document: dict[str, Any]) -> None:
    """How many rows were scored, and what was odd about them."""
    console = out()
    console.print(
        f"[green]Wrote {document['out']}[/]: {document['rows']:,} rows scored by "
        f"{document['pipeline']} version {document['version']}."
    )
    if document["missing_columns"]:
        console.print(f"[yellow]Missing columns[/] (taken as missing values): {', '.join(document['missing_columns'])}")
    if document["extra_columns"]:
        console.print(f"[dim]Not used: {', '.join(document['extra_columns'])}[/]")
    for column, count in document["unseen"].items():
        console.print(f"[yellow]Note:[/] {count:,} rows of {column} hold a category that training did not have.")


def print_act(document: dict[str, Any]) -> None:
    """Who moved what, and why."""
    out().print(
        f"[green]{document['pipeline']}[/]: the champion was {document['before'] or 'nobody'} and is now "
        f"[bold]version {document['after']}[/] ({document['actor']}: {document['reason']})."
    )
