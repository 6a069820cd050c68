"""What people read about a comparison of two versions."""

from typing import Any

from automl_assets.cli.display import out, table_of


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
