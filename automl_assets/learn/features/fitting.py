"""How the encoder of a whole table learns: columns, then what combines them, then imputing, scaling and selecting."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from automl_assets.learn.features import columns as column_encoders
from automl_assets.learn.features import imputers, scalers, selections
from automl_assets.learn.features.cells import Rows
from automl_assets.learn.features.columns import ColumnEncoder
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.columns.custom import CustomEncoder
from automl_assets.learn.features.combining import crosses, pairs
from automl_assets.learn.features.imputers._base import medians
from automl_assets.learn.features.selections import Kept
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.features.encoder import Encoder

AnyEncoder = TypeVar("AnyEncoder", bound="Encoder")


def fitted(
    kind: type[AnyEncoder], table: "pa.Table", roles: Mapping[str, str], context: FitContext
) -> "tuple[AnyEncoder, np.ndarray]":
    """The encoder, and the matrix of the training rows without what a row's own target taught."""
    rows = Rows(table)
    columns = [*_of_roles(rows, roles, context), *_combined(rows, roles, context)]
    pieces = [column.encode_training(rows, context) for column in columns]
    imputed = context.view == "dense" or context.recipe.named("imputer", context.view) != "none"
    encoder = kind(context.view, tuple(columns))
    if imputed:
        encoder = _with_numbers(encoder, pieces, context)
    matrix = encoder.assembled(pieces, len(rows))
    method = selections.registry.get(context.recipe.selection)
    if not method.selects:
        return encoder, matrix
    kept = Kept.of(method, matrix, encoder.feature_names, encoder.categorical, context)
    return kind(context.view, encoder.columns, encoder.imputer, kept), matrix[:, list(kept.positions)]


def _of_roles(rows: Rows, roles: Mapping[str, str], context: FitContext) -> list[ColumnEncoder]:
    found: list[ColumnEncoder] = []
    for name, role in roles.items():
        for kind in kinds_for(role, context):
            encoder = column_encoders.registry.get(kind)
            assert issubclass(encoder, OneColumn)
            found.append(encoder.fit(name, rows[name], context))
    return found


def kinds_for(role: str, context: FitContext) -> tuple[str, ...]:
    """The column encoders of a role, by name."""
    recipe = context.recipe
    if role == "datetime":
        return (recipe.dates if recipe.dates != "auto" else "parts" if context.view == "codes" else "cycles",)
    if role == "text":
        return ("words", "tfidf_svd") if recipe.text == "auto" else (recipe.text,)
    return (role,)


def _combined(rows: Rows, roles: Mapping[str, str], context: FitContext) -> list[ColumnEncoder]:
    numeric = [name for name, role in roles.items() if role == "numeric"]
    categorical = [name for name, role in roles.items() if role == "categorical"]
    custom = [CustomEncoder.fit(path, rows, list(roles), context) for path in context.recipe.custom]
    return [*pairs(rows, numeric, context), *crosses(rows, categorical, context), *custom]


def _with_numbers(encoder: AnyEncoder, pieces: "Sequence[np.ndarray]", context: FitContext) -> AnyEncoder:
    """The encoder with its imputer and, in the view ``dense``, each column's scale."""
    import numpy as np

    block = encoder.numbers(pieces, len(pieces[0]) if pieces else 0)
    imputer = imputers.registry.get(context.recipe.named("imputer", context.view)).fit(block, context.seed)
    filled = imputer.fill(block)
    if imputer.leaves_missing:
        filled = np.where(np.isnan(filled), medians(block), filled)
    columns, start = [], 0
    for column in encoder.columns:
        stop = start + len(column.number_outputs())
        columns.append(_scaled(column, filled[:, start:stop], context) if stop > start else column)
        start = stop
    return type(encoder)(encoder.view, tuple(columns), imputer)


def _scaled(column: ColumnEncoder, values: "np.ndarray", context: FitContext) -> ColumnEncoder:
    if context.view != "dense":
        return column
    return replace(column, scale=scalers.registry.get(context.recipe.named("scaler", context.view)).fit(values))
