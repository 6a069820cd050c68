"""A registered version as one self-contained page: no script, no font, no picture from elsewhere.

Values of private, identifier and text columns are on no part of it, and everything else is escaped.
"""

from automl_assets.evaluation.page_facts import PageFacts, verdict
from automl_assets.evaluation.page_html import STYLE, Html, anchor, element, esc, join
from automl_assets.evaluation.page_origin import cleaning, data, lineage, problem, reference
from automl_assets.evaluation.page_results import curves, importances, leaderboard, scores, slices, tuning

SECTIONS = {
    "Scores": scores,
    "Slices": slices,
    "Curves": curves,
    "Importances": importances,
    "Leaderboard": leaderboard,
    "Problem": problem,
    "Cleaning and leaks": cleaning,
    "Data": data,
    "Tuning": tuning,
    "Drift reference": reference,
    "Lineage": lineage,
}


def model_page(facts: PageFacts) -> str:
    """The page as HTML."""
    drawn = {title: draw(facts) for title, draw in SECTIONS.items()}
    links = join(element("a", title, href=f"#{anchor(title)}") for title, part in drawn.items() if part)
    body = join([_head(facts), element("nav", links), *drawn.values(), _foot(facts)], "\n")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{esc(facts.title)}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(facts: PageFacts) -> Html:
    """The title, what the version is in use for, and how good it is."""
    told, how = verdict(facts)
    aliases = [
        element("span", alias, class_="tag on" if alias == "champion" else "tag") for alias in facts.info.aliases
    ]
    if not aliases:
        now = f"not in use; the champion is version {facts.champion}" if facts.champion else "not in use"
        aliases = [element("span", now, class_="tag")]
    found = facts.problem
    what = f"Predicts {found.target} ({found.kind}) from {len(found.features()):,} columns. "
    return join(
        [
            element("h1", facts.title),
            element("p", what, *aliases, class_="soft"),
            element("p", told, class_=f"verdict {how}"),
        ]
    )


def _foot(facts: PageFacts) -> Html:
    """When the page was made, and what it lacks."""
    missing = facts.missing()
    lacking = element("p", "Not on this page: ", "; ".join(missing), ".") if missing else ""
    made = facts.made.isoformat(" ", "minutes")
    return element("footer", lacking, element("p", f"Made {made} by `automl report {facts.info.name}`."))
