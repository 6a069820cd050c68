"""A model folder: plan, features, estimators, ensemble weights and calibration, in native formats and JSON.

    model.json            what it predicts from what, the plan, the weights, the calibration
    members/<i>/fold_<k>/ encoder.json, model/ (XGBoost ubj, LightGBM txt, skops, npz)
    losses/               for numbers: how wrong it will be on a row (training/losses.py)
    intervals/            for numbers: how wide a row's interval is, where widths differ (training/intervals.py)
    checksums.json        the SHA-256 of every other file

Nothing in it is a pickle. `load` compares every checksum before it opens a file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.errors import SchemaError, StorageError, bounded
from automl_assets.core.fingerprint import digest_of, sha256_of_file
from automl_assets.core.tables import arrow_type, column_type
from automl_assets.core.values import CleaningPlan, Column, HoldoutRule
from automl_assets.ingestion.infer import NUMBER, parse_datetimes
from automl_assets.learn.families import Family, registry
from automl_assets.learn.families.stack import INPUTS, with_predictions
from automl_assets.learn.features import Encoder, Rows
from automl_assets.learn.features.columns import CategoricalEncoder
from automl_assets.training.calibration import Calibration
from automl_assets.training.intervals import IntervalModel
from automl_assets.training.threshold import ARGMAX, Decision
from automl_assets.tuning.fold_fit import trusted_of, unweighted

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT_VERSION = 1
MODEL_FILE = "model.json"
CHECKSUMS_FILE = "checksums.json"


@dataclass(frozen=True)
class ModelCard:
    """The JSON part of a model: everything but the estimators.

    recipe: the features' recipe; of its transformers alone, the members' encoders may import code.
    prior: the classes' shares in training; `prior_share` of it is mixed into each probability, so that none is 0.
    class_weights: how many times a row of each class counted in the fits, none where once; it is divided out.
    """

    pipeline: str
    kind: str
    metric: str
    target: str
    classes: tuple[str, ...]
    roles: Mapping[str, str]
    columns: tuple[Column, ...]
    plan: CleaningPlan
    holdout: HoldoutRule
    window: tuple[str, ...]
    members: tuple[dict[str, Any], ...]
    calibration: Calibration
    residual_quantile: float | None
    id_columns: tuple[str, ...] = ()
    reference: str = ""
    prior: tuple[float, ...] = ()
    prior_share: float = 0.0
    decision: Decision = ARGMAX
    class_weights: tuple[float, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """A JSON-able object."""
        return {
            **{key: getattr(self, key) for key in ("pipeline", "kind", "metric", "target", "format_version")},
            "classes": list(self.classes),
            "roles": dict(self.roles),
            "columns": [column.model_dump() for column in self.columns],
            "plan": self.plan.model_dump(mode="json"),
            "holdout": self.holdout.model_dump(mode="json"),
            "window": list(self.window),
            "members": list(self.members),
            "calibration": self.calibration.to_json(),
            "residual_quantile": self.residual_quantile,
            "id_columns": list(self.id_columns),
            "reference": self.reference,
            "prior": list(self.prior),
            "prior_share": self.prior_share,
            "decision": self.decision.to_json(),
            "class_weights": list(self.class_weights),
            "recipe": dict(self.recipe),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The card that `to_json` described."""
        return cls(
            **{
                key: document[key] for key in ("pipeline", "kind", "metric", "target", "roles", "reference", "versions")
            },
            classes=tuple(document["classes"]),
            columns=tuple(Column.model_validate(column) for column in document["columns"]),
            plan=CleaningPlan.model_validate(document["plan"]),
            holdout=HoldoutRule.model_validate(document["holdout"]),
            window=tuple(document["window"]),
            members=tuple(document["members"]),
            calibration=Calibration.from_json(document["calibration"]),
            residual_quantile=document["residual_quantile"],
            id_columns=tuple(document["id_columns"]),
            prior=tuple(document["prior"]),
            prior_share=document["prior_share"],
            decision=Decision.from_json(document["decision"]) if "decision" in document else ARGMAX,
            class_weights=tuple(document.get("class_weights", ())),
            recipe=document.get("recipe", {}),
            format_version=document["format_version"],
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card of a model folder, without its estimators.

        Raises:
            StorageError: the folder is gone, or of a newer format.
        """
        file = folder / MODEL_FILE
        if not file.is_file():
            raise StorageError("The model is missing.", where=str(folder), remedy="Train again, or restore the files.")
        document = json.loads(file.read_text())
        if document["format_version"] > FORMAT_VERSION:
            raise StorageError(
                f"The model is of format {document['format_version']}; this version reads {FORMAT_VERSION}.",
                where=str(folder),
                remedy="Upgrade automl-assets.",
            )
        return cls.from_json(document)


@dataclass(frozen=True)
class FoldModel:
    """One estimator and the encoder that was fitted on the same rows."""

    encoder: Encoder
    estimator: Family

    @classmethod
    def load(
        cls,
        folder: Path,
        family: str,
        encoders: "dict[str, Encoder] | None" = None,
        *,
        trusted: Sequence[str] = (),
    ) -> Self:
        """Read a fold's folder. Folds with the same encoder share one of `encoders`, so that a row is encoded once.

        Args:
            trusted: the import paths of the recipe's own transformers; no other code is imported.

        Raises:
            ConfigError: a transformer can't be imported, or has changed since the training.
            StorageError: the encoder names one that is not trusted.
        """
        text = (folder / "encoder.json").read_text()
        encoders = {} if encoders is None else encoders
        if text not in encoders:
            encoders[text] = Encoder.from_json(json.loads(text), trusted=trusted)
        return cls(encoders[text], registry.get(family).load(folder / "model"))


@dataclass(frozen=True)
class Columns:
    """How a table fits a model: columns it lacks, has too much, and those whose type had to give way."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]


class Model:
    """A loaded model. `predict` takes raw tables: the plan, the features and the calibration are part of it."""

    def __init__(
        self, card: ModelCard, members: Sequence[tuple[float, Sequence[FoldModel]]], folder: Path | None = None
    ):
        self.card = card
        self._members = members
        self._folder = folder

    @classmethod
    def load(cls, folder: Path, *, digest: str | None = None) -> Self:
        """Read a model folder, its checksums compared first; `digest` is what the registry says they should be.

        Raises:
            StorageError: a file is missing, changed, or of a newer format.
            ConfigError: a transformer of its recipe can't be imported, or has changed since the training.
        """
        verify(folder, digest)
        card = ModelCard.read(folder)
        encoders: dict[str, Encoder] = {}
        trusted = trusted_of({"recipe": card.recipe})
        members = [
            (
                member["weight"],
                [
                    FoldModel.load(folder / path, member["family"], encoders, trusted=trusted)
                    for path in member["folders"]
                ],
            )
            for member in card.members
        ]
        return cls(card, members, folder)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The raw columns that the model reads."""
        return tuple(column.name for column in self.card.columns)

    def check_columns(self, names: Sequence[str]) -> Columns:
        """What a table lacks, and what it has that the model does not use (its target and identifiers apart)."""
        known = {*self.features, self.card.target, *self.card.id_columns}
        return Columns(
            missing=tuple(name for name in self.features if name not in names),
            extra=tuple(name for name in names if name not in known),
        )

    def require_columns(self, names: Sequence[str], *, where: str) -> Columns:
        """`check_columns` of a table that has at least one.

        Raises:
            SchemaError: it has none of the columns that the model reads.
        """
        found = self.check_columns(names)
        if found.missing == self.features:
            raise SchemaError(
                "The table has none of the columns that the model reads.",
                where=where,
                remedy=f"They are {bounded(self.features)}.",
            )
        return found

    def clean(self, table: "pa.Table") -> "pa.Table":
        """The model's columns with their recorded types after its plan; a missing column is all missing."""
        return apply_plan(self.card.plan, conform(table, self.card.columns))

    @property
    def members(self) -> "Sequence[tuple[float, Sequence[FoldModel]]]":
        """Each member's weight and its fold models."""
        return self._members

    def encoded(self, clean: "pa.Table") -> "dict[int, np.ndarray]":
        """The matrix that each of the members' encoders makes of clean rows, once each, by the encoder's `id`."""
        encoders = {id(fold.encoder): fold.encoder for _, folds in self._members for fold in folds}
        rows = Rows(clean)
        return {key: encoder.transform(rows) for key, encoder in encoders.items()}

    def predict_clean(self, clean: "pa.Table", *, threads: int = 1) -> "np.ndarray":
        """Probabilities (rows, classes), the positive class last, or values (rows,), from an already clean table."""
        import numpy as np

        total = np.sum([weight * part for weight, part in self._weighed_parts(clean, threads) if weight], axis=0)
        if not self.card.classes:
            return total
        return self.card.calibration.apply(self._smoothed(total / total.sum(axis=1, keepdims=True)))

    def _weighed_parts(self, clean: "pa.Table", threads: int) -> "Iterator[tuple[float, np.ndarray]]":
        """Each member's weight and the mean of its fold models; a stack layer after the members that it learns from."""
        import numpy as np

        encoded, found = self.encoded(clean), dict[str, np.ndarray]()
        described = zip(self.card.members, self._members, strict=True)
        for member, (weight, folds) in sorted(described, key=lambda one: len(one[0].get(INPUTS, ()))):
            below = [self._smoothed(found[name]) for name in member.get(INPUTS, ())]
            parts = [fold.estimator.predict(_with(encoded[id(fold.encoder)], below), threads=threads) for fold in folds]
            found[member["name"]] = unweighted(np.mean(parts, axis=0), self.card.class_weights)
            yield weight, found[member["name"]]

    def _smoothed(self, probabilities: "np.ndarray") -> "np.ndarray":
        """Probabilities mixed with one row's worth of the training prior; values unchanged."""
        import numpy as np

        if not self.card.prior:
            return probabilities
        share = self.card.prior_share
        return (1 - share) * probabilities + share * np.asarray(self.card.prior)

    def predict(self, table: "pa.Table", *, threads: int = 1) -> "np.ndarray":
        """The same from a raw table."""
        return self.predict_clean(self.clean(table), threads=threads)

    def chosen(self, predicted: "np.ndarray") -> "np.ndarray":
        """The class index a row that the model's decision makes of its probabilities (see `training.threshold`)."""
        return self.card.decision.chosen(predicted)

    def labels(self, predicted: "np.ndarray") -> "np.ndarray":
        """The label a row that the model's decision makes of its probabilities; values as they are."""
        import numpy as np

        if not self.card.classes:
            return predicted
        return np.array(self.card.classes, dtype=object)[self.chosen(predicted)]

    def interval(self, table: "pa.Table", *, threads: int = 1) -> "tuple[np.ndarray, np.ndarray]":
        """The lower and upper ends of a 90% prediction interval of each row of a raw table, for numbers."""
        clean = self.clean(table)
        return self.interval_clean(clean, self.predict_clean(clean, threads=threads), threads=threads)

    def interval_clean(
        self, clean: "pa.Table", predicted: "np.ndarray", *, threads: int = 1
    ) -> "tuple[np.ndarray, np.ndarray]":
        """The same around the values predicted of clean rows.

        Of rows drawn as the training rows were, nine of ten lie inside on average (see `training.intervals`).
        """
        half = self.card.residual_quantile or 0.0
        if self._interval_model is not None:
            half = self._interval_model.half_widths(clean, predicted, threads=threads)
        return predicted - half, predicted + half

    @cached_property
    def _interval_model(self) -> IntervalModel | None:
        """Read when the first interval is asked for: predicting alone does not pay for it."""
        return None if self._folder is None else IntervalModel.load(self._folder)

    def unseen(self, clean: "pa.Table") -> dict[str, int]:
        """Rows with a category that no fold's training rows had, by column."""
        return self._categories.unseen(clean)

    @cached_property
    def _categories(self) -> Encoder:
        """Every category that some fold's training rows had."""
        known: dict[str, dict[str, None]] = {}
        for _, folds in self._members:
            for column in (column for fold in folds for column in fold.encoder.columns):
                if isinstance(column, CategoricalEncoder):
                    known.setdefault(column.name, {}).update(dict.fromkeys(column.categories))
        return Encoder("codes", tuple(CategoricalEncoder(name, "codes", tuple(found)) for name, found in known.items()))

    def feature_roles(self) -> dict[str, str]:
        """The clean columns and their roles."""
        return dict(self.card.roles)


def _with(matrix: "np.ndarray", below: "Sequence[np.ndarray]") -> "np.ndarray":
    return with_predictions(matrix, list(below)) if below else matrix


def conform(table: "pa.Table", columns: Sequence[Column]) -> "pa.Table":
    """The table with just these columns, in their recorded types; what does not fit a type becomes missing."""
    import pyarrow as pa

    wanted = [arrow_type(column.type) for column in columns]
    if table.column_names == [column.name for column in columns] and table.schema.types == wanted:
        return table
    present = {name: position for position, name in enumerate(table.column_names)}
    arrays = [
        _as_type(table.column(present[column.name]), column) if column.name in present
        else pa.chunked_array([pa.nulls(table.num_rows, arrow_type(column.type))])
        for column in columns
    ]  # fmt: skip
    return pa.table(dict(zip((column.name for column in columns), arrays, strict=True)))


def _as_type(array: "pa.ChunkedArray", column: Column) -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column_type(array.type)
    if kind == column.type:
        if t.is_dictionary(array.type):
            return array.cast(array.type.value_type)
        return array.cast(pa.string()) if kind == "text" and not t.is_string(array.type) else array
    if column.type == "text":
        from automl_assets.learn.split import label_texts

        return pa.chunked_array([pa.array(label_texts(array), pa.string())])
    wanted = arrow_type(column.type)
    if kind == "text":
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        numeric = pc.match_substring_regex(text, NUMBER)
        if column.type in ("integer", "number"):
            return pc.if_else(numeric, text, None).cast(pa.float64())
        if column.type == "datetime":
            return parse_datetimes(text)
        return pa.chunked_array([pa.nulls(len(array), wanted)])
    try:
        return array.cast(pa.float64() if column.type == "integer" else wanted, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.nulls(len(array), wanted)])


def write_checksums(folder: Path) -> str:
    """Write `checksums.json` for a finished folder; the digest of the checksums."""
    sums = checksums(folder)
    (folder / CHECKSUMS_FILE).write_text(json.dumps(sums, indent=1, sort_keys=True))
    return digest_of(sums)


def checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file but the checksums themselves, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CHECKSUMS_FILE)
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in files}


def verify(folder: Path, digest: str | None = None) -> None:
    """Compare every file with its checksum, and the checksums with what the registry recorded.

    Raises:
        StorageError: something is missing, changed or added.
    """
    file = folder / CHECKSUMS_FILE
    if not file.is_file():
        raise StorageError("The model is missing.", where=str(folder), remedy="Train again, or restore the files.")
    recorded, actual = _recorded(file), checksums(folder)
    changed = sorted(name for name in {*recorded, *actual} if recorded.get(name) != actual.get(name))
    if changed or (digest is not None and digest_of(recorded) != digest):
        what = bounded(changed, 4) if changed else CHECKSUMS_FILE
        raise StorageError(
            f"The model's files are not the ones that were registered: {what}.",
            where=str(folder),
            remedy="Do not use it; roll back, or train again.",
        )


def _recorded(file: Path) -> dict[str, str]:
    """What the checksums' file says; nothing, which no folder matches, where it can't be read."""
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
