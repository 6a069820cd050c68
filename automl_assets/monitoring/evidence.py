"""What a child process does: compare a batch with the champion's reference, and draw what differs.

Both engines give the same evidence: `own` from all rows, on sketches; `evidently` from samples of both sides, with
Evidently's values where it has a test and sketches of the samples where it has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl_assets.core.tables import column_type, open_files
from automl_assets.evaluation.columns import sample_rows
from automl_assets.evaluation.reference import Reference, reference_of
from automl_assets.monitoring.evidently_engine import adopt
from automl_assets.monitoring.figures import draw_causes
from automl_assets.monitoring.judge import judge_drift
from automl_assets.monitoring.multivariate import domain_drift, reconstruction_drift, steady
from automl_assets.monitoring.own_engine import count_rows, measure

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

    from automl_assets.monitoring.evidently_engine import Comparison

Engine = Literal["evidently", "own"]
Render = Literal["when_drifted", "always", "never"]
MOST_ROWS = 50_000
MOST_MODEL_ROWS = 10_000


def compare_with_reference(
    reference: str,
    current: list[str],
    *,
    engine: Engine,
    importances: Mapping[str, float] | None = None,
    importance_share: float = 0.3,
    html: str | None = None,
    render: Render = "when_drifted",
    figure: str | None = None,
    reference_tables: list[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The evidence about a batch; pass it to `judge_drift`.

    Args:
        reference: the folder that `build_reference` wrote. Roles and private columns are the ones stored there.
        current: Parquet files of the batch, clean.
        importances: the model's, by feature.
        importance_share: the domain classifier, which costs seconds, runs from this drifted share of importance on.
        html: where Evidently's page goes; `render` says when it is written. None for no page.
        figure: where the picture of the causes goes, when something drifted.
        reference_tables: Parquet files of the clean training rows, for Evidently's sample; the stored sample otherwise.

    Returns:
        ``{"features": [{name, test, aspect, effect, p_value, psi, rows, reason, allowance, statistics}],
        "reference_rows": n, "current_rows": n, "missing": [features that the batch lacks], "engine": …,
        "importances": {…}, "domain": {auc, low, p_value, rows} or None, "reconstruction": {…} or None,
        "html": whether a page was written, "figure": whether a picture was}``
    """
    stored = Reference.load(Path(reference))
    before = open_files(reference_tables) if reference_tables else None
    sides = Sides(stored, before, open_files(current), engine, seed)
    return _compare(sides, importances or {}, importance_share, Pictures(html, render, figure))


def compare_tables(
    reference: list[str],
    current: list[str],
    *,
    roles: dict[str, str],
    private: list[str],
    html: str | None = None,
    engine: Engine = "evidently",
    figure: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The same for two tables, the reference made on the fly; every feature weighs the same.

    Args:
        roles: the features and their roles; those whose role has no test are left out.
        private: features whose values must not stand in the page or the picture.
    """
    before, now = open_files(reference), open_files(current)
    shared = {name: role for name, role in roles.items() if name in now.schema.names}
    made = reference_of(before, shared, private=private, seed=seed)
    return _compare(Sides(made, before, now, engine, seed), {}, 1.0, Pictures(html, "when_drifted", figure))


@dataclass(frozen=True)
class Pictures:
    """What is drawn, where, and when."""

    html: str | None
    render: Render
    figure: str | None


@dataclass(frozen=True)
class Sides:
    """What is compared, and how. `before` is the reference's table, where it is at hand."""

    reference: Reference
    before: "ds.Dataset | None"
    now: "ds.Dataset"
    engine: Engine
    seed: int

    def broken(self) -> dict[str, str]:
        """The features that can't be compared because the batch holds something else, with what it holds."""
        import pyarrow.types as t

        found = {}
        for name in self.reference.features:
            if name in self.now.schema.names and not t.is_null(arrow := self.now.schema.field(name).type):
                role, kind = self.reference.roles[name], column_type(arrow)
                if (role in ("numeric", "datetime") and kind == "text") or (role == "numeric" and kind == "datetime"):
                    found[name] = f"{name}: {kind} where {'numbers' if role == 'numeric' else 'times'} were"
        return found

    def comparison(self, current: "pa.Table", names: Sequence[str]) -> "Comparison | None":
        """Evidently's, of some features of both sides' samples; None where the reference has no rows of theirs."""
        from automl_assets.monitoring.evidently_engine import Comparison

        before = self.reference.sample
        if self.engine == "evidently" and self.before is not None:
            before = sample_rows(self.before, [n for n in names if n in self.before.schema.names], self.seed, MOST_ROWS)
        roles = {name: self.reference.roles[name] for name in names if name in before.column_names}
        return Comparison(before, current, roles, self.reference.private) if roles else None


def _compare(
    sides: Sides, importances: Mapping[str, float], importance_share: float, pictures: Pictures
) -> dict[str, Any]:
    import pyarrow.dataset as ds

    reference, broken = sides.reference, sides.broken()
    names = [name for name in reference.features if name in sides.now.schema.names and name not in broken]
    most = MOST_ROWS if sides.engine == "evidently" else MOST_MODEL_ROWS
    sample = sample_rows(sides.now, names, sides.seed + 1, most)
    current = count_rows(reference, ds.dataset(sample) if sides.engine == "evidently" else sides.now, names)
    found = measure(reference, current)
    enough = [row["name"] for row in found if row["aspect"] == "distribution" and row["effect"] is not None]
    comparison = sides.comparison(sample, enough) if sides.engine == "evidently" and enough else None
    if comparison is not None:
        adopt(found, reference.roles, comparison.values())
    few = sample_rows(ds.dataset(sample), names, sides.seed + 2, MOST_MODEL_ROWS)
    evidence: dict[str, Any] = {
        "engine": sides.engine,
        "features": found,
        "reference_rows": reference.rows,
        "current_rows": sides.now.count_rows(),
        "missing": [name for name in reference.features if name not in sides.now.schema.names],
        "schema_breaks": list(broken.values()),
        "importances": dict(importances),
        "reconstruction": reconstruction_drift(reference, few),
    }
    report = judge_drift(evidence)
    drifted = bool(report.causes)
    weighty = drifted and report.importance_drifted >= importance_share
    evidence["domain"] = domain_drift(reference, few, steady(found), seed=sides.seed) if weighty else None
    evidence["html"] = evidence["figure"] = False
    if pictures.html and enough and (pictures.render == "always" or (drifted and pictures.render == "when_drifted")):
        page = comparison or sides.comparison(sample, enough)
        evidence["html"] = page is not None and page.write_page(pictures.html)
    if pictures.figure and drifted:
        path = Path(pictures.figure)
        evidence["figure"] = draw_causes(reference.sketches, current, report.causes, path, private=reference.private)
    return evidence
