"""The quality report as one self-contained page: no script, no font, no picture from elsewhere."""

from html import escape

from automl_assets.core.values import ColumnProfile, QualityReport

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2937;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}p.sub{color:#6b7280;margin-top:.2rem}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #e5e7eb}
th{font-weight:600;color:#6b7280}td.n{text-align:right;font-variant-numeric:tabular-nums}
.tiles{display:flex;gap:1rem;flex-wrap:wrap;margin:1rem 0}
.tile{border:1px solid #e5e7eb;border-radius:.5rem;padding:.6rem 1rem}
.tile b{display:block;font-size:1.5rem}.warning{color:#b45309}.error{color:#b91c1c}.info{color:#6b7280}
svg{display:block}svg rect{fill:#2563eb}.top{color:#6b7280;font-size:.85rem}
"""
PLOT_WIDTH, PLOT_HEIGHT = 160, 28


def quality_page(report: QualityReport, *, title: str) -> str:
    """The page as HTML. Values of identifiers and free text are not in the report, so they can't be on it."""
    tiles = {"score": report.score, **report.components}
    shown = "".join(f'<div class="tile">{escape(name)}<b>{value:.1f}</b></div>' for name, value in tiles.items())
    findings = "".join(
        f'<tr><td class="{f.severity}">{f.severity}</td><td>{escape(f.column or "—")}</td><td>{escape(f.code)}</td>'
        f'<td class="n">{f.count:,}</td>'
        f'<td>{escape(f.advice)} <span class="top">{escape(", ".join(f.examples))}</span></td></tr>'
        for f in report.findings
    )
    columns = "".join(_row(column) for column in report.columns)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1><p class="sub">{report.rows:,} rows, {len(report.columns):,} columns</p>
<div class="tiles">{shown}</div>
<h2>Findings</h2>
<table><tr><th></th><th>column</th><th>finding</th><th>cells</th><th>advice</th></tr>{findings}</table>
<h2>Columns</h2>
<table><tr><th>column</th><th>type</th><th>role</th><th>missing</th><th>distinct</th><th>values</th></tr>{columns}</table>
</body></html>
"""


def _row(column: ColumnProfile) -> str:
    return (
        f"<tr><td>{escape(column.name)}</td><td>{column.type}</td><td>{escape(column.role)}</td>"
        f'<td class="n">{column.missing_share:.1%}</td><td class="n">{column.distinct:,}</td>'
        f"<td>{_values(column)}</td></tr>"
    )


def _values(column: ColumnProfile) -> str:
    """A histogram with its range, or the most frequent values."""
    if column.histogram:
        most = max(column.histogram) or 1
        width = PLOT_WIDTH / len(column.histogram)
        bars = "".join(
            f'<rect x="{i * width:.1f}" y="{PLOT_HEIGHT * (1 - n / most):.1f}" width="{width - 1:.1f}" '
            f'height="{PLOT_HEIGHT * n / most:.1f}"/>'
            for i, n in enumerate(column.histogram)
        )
        drawn = f'<svg width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" role="img" aria-label="histogram">{bars}</svg>'
        return f'{drawn}<span class="top">{column.minimum:.6g} … {column.median:.6g} … {column.maximum:.6g}</span>'
    told = ", ".join(f"{escape(value)} ({count:,})" for value, count in column.top)
    return f'<span class="top">{told}</span>'
