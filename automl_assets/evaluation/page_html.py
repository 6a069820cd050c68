"""HTML in small pieces: whatever is not marked as HTML already is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--paper:#fff;--panel:#f8fafc;--accent:#2563eb;
--pale:#cbd5e1;--good:#15803d;--bad:#b91c1c;--warn:#b45309}
@media (prefers-color-scheme:dark){:root{--ink:#e5e7eb;--soft:#9ca3af;--line:#374151;--paper:#111827;--panel:#1f2937;
--accent:#60a5fa;--pale:#4b5563;--good:#4ade80;--bad:#f87171;--warn:#fbbf24}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70rem;margin:2rem auto;
padding:0 1rem;-webkit-print-color-adjust:exact;print-color-adjust:exact}
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.4rem 0 .6rem;border-bottom:1px solid var(--line)}
h3{font-size:.95rem;margin:1.2rem 0 .3rem}p{margin:.4rem 0}.soft,figcaption,th,dt{color:var(--soft)}
.verdict{font-size:1.1rem;border-left:.3rem solid var(--soft);background:var(--panel);padding:.6rem 1rem;margin:1rem 0}
.verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}.verdict.warn{border-color:var(--warn)}
.tag{border:1px solid var(--line);border-radius:1rem;padding:.05rem .6rem;font-size:.85rem;color:var(--soft)}
.tag.on{border-color:var(--good);color:var(--good)}nav{font-size:.9rem;margin:.8rem 0}nav a{margin-right:.9rem}
a{color:var(--accent);text-decoration:none}.scroll{overflow-x:auto}
table{border-collapse:collapse;min-width:26rem;font-size:.92rem}
td,th{padding:.28rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.strong td{font-weight:600}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0}
dd{margin:0;overflow-wrap:anywhere}code,pre{font:.85rem/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:var(--panel);border:1px solid var(--line);padding:.6rem .8rem;overflow-x:auto;white-space:pre-wrap}
.row{display:flex;flex-wrap:wrap;gap:1.2rem;align-items:flex-start}figure{margin:.4rem 0;max-width:100%}
figcaption{font-size:.85rem;margin-top:.1rem;max-width:26rem}svg{display:block;max-width:100%;height:auto;overflow:visible}
svg text{fill:var(--ink);font:11px system-ui,sans-serif;paint-order:stroke;stroke:var(--paper);
stroke-width:3px;stroke-linejoin:round}svg text.plain,svg text.on{stroke:none}svg text.soft{fill:var(--soft)}
svg .end{text-anchor:end}svg .mid{text-anchor:middle}svg .axis{stroke:var(--pale);stroke-width:1;fill:none}
svg .grid{stroke:var(--line);stroke-width:1}svg .dash{stroke:var(--pale);stroke-dasharray:4 3;fill:none}
svg .fill{fill:var(--accent)}svg .minus{fill:var(--bad)}svg .faint{fill:var(--pale)}svg .line{stroke:var(--accent);
stroke-width:2;fill:none}svg .front{stroke:var(--accent);stroke-width:1.2;fill:none;opacity:.6}
svg .ci{stroke:var(--accent);stroke-width:2.5}svg text.on{fill:var(--paper)}
ul{margin:.3rem 0;padding-left:1.2rem}footer{margin-top:3rem;font-size:.85rem;color:var(--soft)}
@media print{:root{color-scheme:light;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--paper:#fff;--panel:#fff;
--accent:#2563eb;--pale:#cbd5e1;--good:#15803d;--bad:#b91c1c;--warn:#b45309}nav{display:none}
html{font-size:12px}body{font-size:1rem;max-width:none;margin:0}
.scroll{overflow:visible}table{min-width:0}td,th{padding:.2rem .4rem}
.row{display:block}.row>*{display:inline-block;vertical-align:top;margin-right:1rem}figure,tr{break-inside:avoid}
h2,h3{break-after:avoid}}
"""


class Html(str):
    """Text that is HTML already."""


def esc(value: Any) -> Html:
    """A value as HTML; HTML stays what it is."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(parts: Iterable[Any], between: str = "") -> Html:
    """Pieces of HTML one after the other."""
    return Html(between.join(esc(part) for part in parts))


def element(name: str, *content: Any, **attributes: str) -> Html:
    """An element; `class_` is its class."""
    told = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value)
    return Html(f"<{name}{told}>{join(content)}</{name}>")


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = (), strong: Sequence[int] = ()
) -> Html:
    """A table; `right` are the positions of columns of numbers, `strong` of rows that stand out."""
    places = set(right)
    head = join(element("th", text, class_="n" if i in places else "") for i, text in enumerate(heads))
    body = join(
        element(
            "tr",
            *(element("td", cell, class_="n" if i in places else "") for i, cell in enumerate(row)),
            class_="strong" if number in strong else "",
        )
        for number, row in enumerate(rows)
    )
    return element("div", element("table", element("tr", head), body), class_="scroll")


def pairs(facts: Mapping[str, Any]) -> Html:
    """Names and what they are; those without anything to say are left out."""
    shown = [(key, value) for key, value in facts.items() if value not in (None, "")]
    return element("dl", *(part for key, value in shown for part in (element("dt", key), element("dd", value))))


def section(title: str, *content: Any) -> Html:
    """A section with an anchor; nothing where it has no content."""
    inside = [part for part in content if part]
    if not inside:
        return Html("")
    return element("section", element("h2", title), *inside, id=anchor(title))


def anchor(title: str) -> str:
    """What a link to a section ends in."""
    return title.lower().replace(" ", "-")


def figure(drawing: Html, caption: str) -> Html:
    """A drawing with what it shows."""
    return element("figure", drawing, element("figcaption", caption)) if drawing else Html("")


def number(value: float | None, digits: int = 4) -> str:
    """A number as people read it, a dash for none."""
    if value is None or value != value:
        return "—"
    if abs(value) >= 10 ** (digits - 1) and abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"
