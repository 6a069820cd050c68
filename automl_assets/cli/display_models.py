"""What people read about predictions and why, a comparison of two versions, and a version's page."""

from typing import Any

from automl_assets.cli.display import out, print_predict, table_of

MOST_EXPLAINED = 5
MOST_CONTRIBUTIONS = 4


def print_predicted(document: dict[str, Any]) -> None:
    """How many rows were scored, and of the first ones what moved them most."""
    print_predict(document)
    if "explanations" not in document:
        return
    console = out()
    rows = [
        (one["row"] + 1, one["class"] or "", f"{one['base']:.4g}", f"{one['output']:.4g}", _moved(one["contributions"]))
        for one in document["explanations"][:MOST_EXPLAINED]
    ]
    if rows:
        console.print()
        console.print(table_of(["row", "class", "base", "output", "moved most by"], rows, right=(0, 2, 3)))
    if document["explanations_left_out"]:
        console.print(f"[yellow]Note:[/] the time did not suffice for {document['explanations_left_out']:,} rows.")
    console.print(f"All of them, a line a row: {document['explanations_out']}", markup=False)


def _moved(contributions: list[dict[str, Any]]) -> str:
    return ", ".join(
        one["column"] + (f" = {one['value']}" if one["value"] is not None else "") + f": {one['contribution']:+.3g}"
        for one in contributions[:MOST_CONTRIBUTIONS]
    )


def print_report(document: dict[str, Any]) -> None:
    """Where the page lies."""
    console = out()
    console.print(f"Wrote {document['out']}: {document['pipeline']} version {document['version']}.", markup=False)
    for missing in document["missing"]:
        console.print(f"[dim]Not on the page: {missing}[/]")


def print_compare(document: dict[str, Any]) -> None:
    """Both versions side by side, the gain, and what speaks against the second."""
    from rich.markup import escape

    console, metric = out(), document["metric"]
    first, second = document["versions"]
    if not document["comparable"]:
        console.print(f"Versions {first} and {second} can't be compared: {escape(document['reason'])}.")
        return
    gain, better = document["gain"], "higher" if document["higher_is_better"] else "lower"
    console.print(
        f"[bold]Version {second} against {first}[/]: {metric} {_interval(gain)} "
        f"on {document['rows']:,} rows that neither was trained on (positive: {second} is better).\n"
    )
    measures = {
        f"{metric} ({better} is better)": document["scores"],
        "calibration error": document["calibration"],
        "ms a row": document["row_ms"],
    }
    rows = [(name, *map(_short, sides.values())) for name, sides in measures.items() if sides]
    console.print(table_of(["", f"version {first}", f"version {second}"], rows, right=(1, 2)))
    if document["slices"]:
        groups = [(s["column"], s["group"], f"{s['rows']:,}", _interval(s["gain"])) for s in document["slices"]]
        console.print()
        console.print(table_of(["column", "group", "rows", "gain"], groups, right=(2,)))
    for harm in document["harms"]:
        console.print(f"[yellow]Version {second}[/]: {escape(harm)}.")


def _interval(gain: dict[str, float]) -> str:
    return f"{gain['value']:+.5g} [{gain['low']:+.5g}, {gain['high']:+.5g}]"


def _short(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"
