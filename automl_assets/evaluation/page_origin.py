"""The page's sections about what the version was made from: problem, cleaning, data, reference, lineage."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.core.sketches import NumericSketch, Sketch
from automl_assets.evaluation.page_charts import bars, histogram
from automl_assets.evaluation.page_facts import PageFacts, holdout_words, step_words
from automl_assets.evaluation.page_html import Html, element, figure, number, pairs, section, table

if TYPE_CHECKING:
    from automl_assets.evaluation.stored_reference import Reference

MOST_COLUMNS = 200
MOST_BATCHES = 30
MOST_HISTOGRAMS = 6
MOST_LABELS = 8
BINS = 24
TAIL = 0.005


def problem(facts: PageFacts) -> Html:
    """What is predicted from what, and which rows judge."""
    found = facts.problem
    roles = [
        (name, role, found.role_reasons.get(name, ""), "values are never shown" if name in facts.hidden else "")
        for name, role in list(found.roles.items())[:MOST_COLUMNS]
    ]
    more = len(found.roles) - len(roles)
    heading = f"Columns and their roles ({len(found.features())} features)"
    return section(
        "Problem",
        pairs(
            {
                "target": found.target,
                "kind": found.kind,
                "metric": found.metric,
                "classes": ", ".join(facts.classes[:20]) + (" …" if len(facts.classes) > 20 else ""),
                "positive class": facts.classes[-1] if len(facts.classes) == 2 else "",
                "rows that teach": f"{found.train_rows:,}",
                "rows that judge": f"{found.holdout_rows:,}",
                "holdout": holdout_words(found.holdout, facts.hidden),
            }
        ),
        element("h3", heading),
        table(["column", "role", "why", ""], roles),
        element("p", f"… and {more:,} more.", class_="soft") if more else "",
    )


def cleaning(facts: PageFacts) -> Html:
    """The plan in sentences, and the leaks that were found."""
    steps = [element("li", step_words(step, facts.hidden)) for step in facts.plan.steps]
    flagged = [element("li", step_words(step, facts.hidden)) for step in facts.plan.flagged]
    leaks = [
        element(
            "li", f"{leak.column or 'The split'}: {leak.reason} (strength {leak.score:.2f}, "
            f"{'certain' if leak.certain else 'suspected'})."
        )
        for leak in facts.problem.leaks
    ]  # fmt: skip
    return section(
        "Cleaning and leaks",
        element("p", "These steps are part of the model and are replayed on every row." if steps else
                "No cleaning was needed: the plan has no step."),
        element("ul", *steps) if steps else "",
        element("h3", "Flagged, not done") if flagged else "",
        element("ul", *flagged) if flagged else "",
        element("h3", "Leaks"),
        element("ul", *leaks) if leaks else element("p", "No column gives the target away."),
    )  # fmt: skip


def data(facts: PageFacts) -> Html:
    """Rows, columns, batches and their quality."""
    window, found = facts.window, facts.problem
    batches = window.batches if window is not None else ()
    scores = [report.score for report in facts.quality.values()]
    rows = [
        (batch.key, f"{batch.table.rows:,}", number(facts.quality[batch.key].score, 3) if batch.key in facts.quality
         else "—", element("code", batch.table.digest))
        for batch in batches[:MOST_BATCHES]
    ]  # fmt: skip
    excluded = window.excluded if window is not None else ()
    return section(
        "Data",
        pairs(
            {
                "rows": f"{found.train_rows + found.holdout_rows:,} with a usable target",
                "columns": f"{len(found.roles):,}",
                "batches": f"{len(batches):,}" if window is not None else f"{len(facts.card.window):,}",
                "quality score": f"{sum(scores) / len(scores):.1f} of 100" if scores else "",
            }
        ),
        table(["batch", "rows", "quality", "content hash"], rows, right=(1, 2)) if rows else "",
        element("p", f"… and {len(batches) - len(rows):,} more.", class_="soft") if len(batches) > len(rows) else "",
        table(["batch left out", "why"], excluded[:MOST_BATCHES]) if excluded else "",
    )


def reference(facts: PageFacts) -> Html:
    """What later batches are compared with."""
    kept = facts.reference
    if kept is None:
        return Html("")
    scales = sorted({window.scale for window in kept.windows})
    windows = (
        f"{len(kept.windows):,} windows of consecutive rows, as long as batches of "
        f"{', '.join(f'{scale:,}' for scale in scales)} rows: what differs between them is no drift"
        if scales
        else "none: the reference is too short to tell what differs by itself"
    )
    drawn = [_drawn(name, kept) for name in _most_important(facts, kept)]
    return section(
        "Drift reference",
        pairs(
            {
                "rows": f"{kept.rows:,}",
                "columns compared": f"{len(kept.features):,}",
                "private columns": f"{len(kept.private):,}, kept as hashes and rounded numbers" if kept.private else "",
                "windows": windows,
                "usual on the holdout": _usual(facts),
                "thresholds": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.watching.items()),
            }
        ),
        element("h3", "Training rows by the most important columns") if drawn else "",
        element("div", *drawn, class_="row") if drawn else "",
    )


def _usual(facts: PageFacts) -> str:
    expected = facts.expectations
    if expected is None or expected.realised is None:
        return ""
    found = expected.realised
    return f"{expected.metric} {number(found.value)}, standard error {number(found.standard_error, 2)}"


def _most_important(facts: PageFacts, kept: "Reference") -> list[str]:
    """The most important columns whose values may be shown."""
    ranked = [name for name in facts.evaluation.importances if name in kept.features]
    shown = [n for n in ranked if n not in facts.hidden and kept.roles[n] in ("numeric", "categorical")]
    return shown[:MOST_HISTOGRAMS]


def _drawn(name: str, kept: "Reference") -> Html:
    sketch = kept.sketches[name]
    if isinstance(sketch, CategorySketch):
        return figure(_labels(sketch), _caption(name, sketch))
    return figure(_numbers(sketch), _caption(name, sketch)) if isinstance(sketch, NumericSketch) else Html("")


def _caption(name: str, sketch: Sketch) -> str:
    share = sketch.missing / max(1, sketch.rows)
    return f"{name}, {share:.1%} missing" if sketch.missing else name


def _labels(sketch: CategorySketch) -> Html:
    ranked = sorted(zip(sketch.labels, sketch.cells[1:].tolist(), strict=True), key=lambda pair: -pair[1])
    shown: list[tuple[str, float]] = [(label, float(rows)) for label, rows in ranked[:MOST_LABELS]]
    rest = sketch.known - sum(rows for _, rows in shown)
    if rest > 0:
        shown.append(("all others", rest))
    return bars(shown, 330, 110) if shown else Html("")


def _numbers(sketch: NumericSketch) -> Html:
    """Equal bins between the 0.5% and the 99.5% quantile: a few far values would flatten everything else."""
    import numpy as np

    if not len(sketch.edges) or not sketch.known:
        return Html("")
    low, high = sketch.quantiles(np.array([TAIL, 1 - TAIL]))
    if not high > low:
        low, high = sketch.edges[0], sketch.edges[-1]
    points = np.linspace(low, high, BINS + 1)
    below = sketch.below(points)
    below[-1] = sketch.up_to(float(high))
    return histogram(np.maximum(np.diff(below), 0).tolist(), float(low), float(high))


def lineage(facts: PageFacts) -> Html:
    """Where the version comes from, and how it is made again."""
    tags, info = facts.info.tags, facts.info
    hashes = [text for text in tags.get("data_hashes", "").split(",") if text]
    shown = ", ".join(hashes[:MOST_HISTOGRAMS]) + (f" … ({len(hashes):,} in all)" if len(hashes) > 6 else "")
    told = {
        "registered": datetime.fromtimestamp(info.created, UTC).isoformat(" ", "minutes"),
        "gate": tags.get("gate", ""),
        "code version": tags.get("code_version", ""),
        "git commit": tags.get("git_commit", ""),
        "seed": tags.get("seed", ""),
    }
    hashed = {
        "data": shown,
        "configuration": tags.get("config_hash", ""),
        "fingerprint": tags.get("fingerprint", ""),
        "model files (SHA-256)": tags.get("model_sha256", ""),
        "installed packages": tags.get("lock_hash", ""),
        "Dagster run": tags.get("dagster_run_id", ""),
        "MLflow run": info.run_id,
    }
    codes = {key: element("code", value) for key, value in hashed.items() if value}
    libraries = {"libraries": ", ".join(f"{name} {version}" for name, version in facts.card.versions.items())}
    link = {"in MLflow": element("a", facts.url, href=facts.url) if facts.url.startswith("http") else ""}
    return section("Lineage", pairs({**told, **codes, **libraries, **link}), *_again(facts))


def _again(facts: PageFacts) -> list[Html]:
    """Commands that make the version again; the configuration is an artifact of its run."""
    tags, name = facts.info.tags, facts.info.name
    commit = tags.get("git_commit", "").removesuffix("+changes")
    version = tags.get("code_version", "")
    lines = [
        f"git checkout {commit}" if commit else "",
        f"pip install automl-assets=={version}" if version else "",
        f"mlflow artifacts download --run-id {facts.info.run_id} --artifact-path pipeline.yaml --dst-path .",
        f"mkdir -p pipelines/{name} && mv pipeline.yaml pipelines/{name}/defs.yaml",
        f"automl run {name} --force",
    ]
    notes = "The batches must have the hashes above; the seed stands in the configuration."
    if tags.get("git_commit", "").endswith("+changes"):
        notes += " The working copy had changes that no commit holds."
    if "deterministic" not in tags:
        notes += (
            " This search ended by the clock and tried as many configurations as it could, which no other run repeats; "
            "one with tuning.deterministic is repeated byte for byte."
        )
    notes += f" `automl reproduce {name} {facts.info.version}` makes it again from the stored tables and compares."
    return [
        element("h3", "How to make it again"),
        element("pre", "\n".join(line for line in lines if line)),
        element("p", notes, class_="soft"),
    ]
