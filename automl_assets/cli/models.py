"""The commands about registered models: predict, promote, rollback, compare."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.cli.home import locked, open_instance, registry_of
from automl_assets.cli.tables import read_file, require_writable
from automl_assets.core.errors import ConfigError, InputError
from automl_assets.core.files import atomic_file
from automl_assets.core.memory import BatchSize, read_memory
from automl_assets.core.records import Act
from automl_assets.learn.score import metric_named
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_named
from automl_assets.registration.assets import contender, current_champion, stored_batches
from automl_assets.registration.compare import contest, why_not_comparable
from automl_assets.registration.gate import Comparison, Sides, decide_promotion, harms
from automl_assets.registration.register import CHAMPION_ALIAS
from automl_assets.registration.steps import CHAMPION
from automl_assets.registration.unseen import groups_of, unseen_rows
from automl_assets.serving.explain import SUFFIX, explain_first, write_explanations
from automl_assets.serving.predict import Scorer
from automl_assets.training.model import Model, ModelCard
from resources.fit_runner import FitRunner
from resources.memory_monitor import MemoryMonitor
from resources.platform_database import PlatformDatabase
from resources.promotion import Promotions
from resources.records.acts import Acts
from resources.settings import Settings
from resources.table_store import TableStore

if TYPE_CHECKING:
    import pyarrow as pa

MIB = 2**20
SUFFIXES = (".csv", ".tsv", ".parquet")


def predict(name: str, table: Path, out: Path, explain: int = 0) -> dict[str, Any]:
    """Score a file with the champion, and say of its first `explain` rows what moved the prediction.

    Raises:
        SchemaError: the file has none of the model's columns.
        RegistryError: there is no champion.
    """
    require_writable(out)
    if out.suffix not in SUFFIXES:
        raise ConfigError(
            f"{out.suffix or 'No suffix'} is no output format.", where=str(out), remedy=f"Use {', '.join(SUFFIXES)}."
        )
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    registry = registry_of(settings)
    champion = current_champion(config.name, registry)
    with read_file(table) as (raw, dataset):
        model = Model.load(
            registry.folder(registry.version(name, champion.version), "model"), digest=champion.digest or None
        )
        columns = model.require_columns(raw.table.names(), where=str(table))
        scorer = Scorer(model, pipeline=name, version=champion.version, batch=table.name)
        size = BatchSize(settings.batch_rows, budget_mb=read_memory().available / MIB)
        with atomic_file(out) as partial:
            _write(partial, out.suffix, scorer.schema(dataset.schema), scorer.score(dataset, size))
        explained: dict[str, Any] = {}
        if explain:
            first = dataset.head(explain, columns=[n for n in model.features if n in dataset.schema.names])
            explained = _explained(model, first, out, TableStore(home=str(settings.home)), config)
    return {
        "pipeline": name,
        "version": champion.version,
        "rows": raw.table.rows,
        "out": str(out),
        "missing_columns": list(columns.missing),
        "extra_columns": list(columns.extra),
        "unseen": dict(scorer.unseen),
        **explained,
    }


def _explained(model: Model, rows: "pa.Table", out: Path, store: TableStore, config: PipelineConfig) -> dict[str, Any]:
    """The explanations, also in a file beside the predictions; and how many rows were left out for lack of time."""
    training_rows = store.tables_root / model.card.reference
    found = explain_first(model, rows, training_rows, private=config.columns.private, seed=config.seed)
    beside = out.with_name(out.name + SUFFIX)
    write_explanations(beside, found)
    return {
        "explanations": found,
        "explanations_out": str(beside),
        "explanations_left_out": rows.num_rows - len(found),
    }


def _write(path: Path, suffix: str, schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]") -> None:
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    from automl_assets.cleaning.repair import write_delimited

    write_delimited(path, schema, batches, separator="\t" if suffix == ".tsv" else ",")


def promote(name: str, version: str, reason: str) -> dict[str, Any]:
    """Make a version the champion and write down who did it, why, before and after. A challenger's shadow ends.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        InputError: it is the champion already.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    target = registry_of(settings).version(name, version)
    with _promotions(settings, name, "promote") as promotions:
        before = promotions.registry.aliased(name, CHAMPION_ALIAS)
        is_champion = before is not None and before.version == target.version
        if is_champion and promotions.unfinished(name, "promote") is None:
            raise InputError(
                f"Version {version} of {name} is the champion already.",
                where=name,
                remedy=f"`automl show {name}` lists the others.",
            )
        return _told(promotions.move(config, target, what="promote", actor=settings.actor, reason=reason))


def rollback(name: str, reason: str) -> dict[str, Any]:
    """Make the champion before this one the champion again.

    Raises:
        RegistryError: there is no champion.
        InputError: there was none before.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    registry = registry_of(settings)
    current_champion(name, registry)
    with _promotions(settings, name, "rollback") as promotions:
        current = current_champion(name, registry)
        begun = promotions.unfinished(name, "rollback")
        acts = promotions.acts.of(name)
        earlier = next((act.before for act in acts if act.after == current.version and act.before), None)
        if begun is not None and begun.after == current.version:
            earlier = begun.after
        if earlier is None:
            raise InputError(
                f"{name} had no champion before version {current.version}.",
                where=name,
                remedy="Promote a version with `automl promote`.",
            )
        target = registry.version(name, earlier)
        return _told(promotions.move(config, target, what="rollback", actor=settings.actor, reason=reason))


@contextmanager
def _promotions(settings: Settings, pipeline: str, what: str) -> Iterator[Promotions]:
    """What moves champions, with the pipeline's lock held."""
    with locked(settings, pipeline, what), open_instance(settings) as instance:
        yield Promotions(
            registry=registry_of(settings),
            acts=Acts(PlatformDatabase.of(settings.home, settings.database_url)),
            store=TableStore(home=str(settings.home)),
            instance=instance,
            step=CHAMPION,
        )


def _told(act: Act) -> dict[str, Any]:
    return {
        "pipeline": act.pipeline,
        "what": act.what,
        "before": act.before,
        "after": act.after,
        "actor": act.actor,
        "reason": act.reason,
        "at": act.at.isoformat(),
    }


def compare(name: str, first: str, second: str) -> dict[str, Any]:
    """Two versions on the stored, labelled rows that neither was trained on; the gain is the second's over the first.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        InputError: it is the same version twice.
        BudgetError: predicting took too long or too much memory.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    registry, store = registry_of(settings), TableStore(home=str(settings.home))
    old, new = (contender(registry, registry.version(name, version)) for version in (first, second))
    if old.version == new.version:
        raise InputError(f"Version {first} can't be compared with itself.", where=name, remedy="Name two versions.")
    cards = [ModelCard.read(side.folder) for side in (new, old)]
    reason = why_not_comparable(*cards)
    found = None
    if reason is None:
        found = unseen_rows(stored_batches(store, name), cards, cards[0].classes, seed=config.seed)
    if found is None:
        return _compared(name, new.version, cards[0].metric, Comparison(old.version, 0, None), reason)
    rows, y = found
    comparison = contest(
        new,
        old,
        rows,
        y,
        cards[0],
        FitRunner(home=str(settings.home)).runner(),
        groups=groups_of(rows, config.columns.sensitive, config.columns.private),
        memory_mb=MemoryMonitor().fit_mb(),
        seed=config.seed,
    )
    return _compared(name, new.version, cards[0].metric, comparison, reason)


def _compared(name: str, version: str, metric: str, found: Comparison, reason: str | None) -> dict[str, Any]:
    versions = (found.champion_version, version)
    decision = decide_promotion("if_better", found, metric)
    comparable = found.gain is not None and found.gain.value == found.gain.value
    calibration = found.calibration
    return {
        "pipeline": name,
        "versions": list(versions),
        "metric": metric,
        "higher_is_better": metric_named(metric).higher_is_better,
        "comparable": comparable,
        "reason": reason or decision.reason.removeprefix(f"not comparable with version {versions[0]}: "),
        "rows": found.rows,
        "gain": found.gain.model_dump() if comparable and found.gain else None,
        "scores": _by_version(found.scores, versions),
        "slices": [
            {"column": one.column, "group": one.group, "rows": one.rows, "gain": one.gain.model_dump()}
            for one in found.slices
        ],
        "calibration": _by_version(calibration.error if calibration else None, versions),
        "row_ms": _by_version(found.row_ms, versions),
        "harms": list(harms(found, metric)),
    }


def _by_version(sides: Sides | None, versions: tuple[str, str]) -> dict[str, float | None] | None:
    """Each version's number; None where it is undefined, since JSON has no NaN."""
    if sides is None:
        return None
    numbers = (sides.champion, sides.challenger)
    return {name: n if n == n else None for name, n in zip(versions, numbers, strict=True)}
