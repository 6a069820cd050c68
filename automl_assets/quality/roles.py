"""What part a column seems to play, from its own values alone: numeric, categorical, datetime, text, id or constant."""

import re
from typing import TYPE_CHECKING

from automl_assets.core.tables import column_type
from automl_assets.core.values import Role

if TYPE_CHECKING:
    import pyarrow as pa

ID_NAME = re.compile(
    r"(?:^|[^a-z])(?:id|ids|uuid|guid|key|index|rownames?|row_?number|order|account|serial)(?:$|[^a-z])", re.IGNORECASE
)
ID_CAMEL = re.compile(r"(?:[a-z](?:Id|ID)|^[A-Z]*ID)$")
UNIQUE_SHARE = 0.98
FILLED_SHARE = 0.98
CONSECUTIVE = 1.02
TEXT_WORDS = 3.0
TEXT_CHARACTERS = 40.0
TEXT_DISTINCT_SHARE = 0.3
SAMPLE = 5_000


def named_like_id(name: str) -> bool:
    """Whether a column's name says identifier: ``customerID``, ``row_id``, ``Order``; not ``paid`` or ``humidity``."""
    return bool(ID_NAME.search(name) or ID_CAMEL.search(name))


def looks_like_id(name: str, column: "pa.ChunkedArray", distinct: int | None = None) -> bool:
    """Whether a column identifies rows: nearly unique, and named, numbered or coded like an identifier."""
    import pyarrow.compute as pc

    kind = column_type(column.type)
    filled = len(column) - column.null_count
    if kind not in ("integer", "text") or filled < 2 or filled < FILLED_SHARE * len(column):
        return False
    if distinct is None:
        distinct = pc.count_distinct(column, mode="only_valid").as_py()
    if distinct < UNIQUE_SHARE * filled:
        return False
    if named_like_id(name):
        return True
    if kind == "integer":
        low, high = pc.min_max(column).as_py().values()
        return distinct == filled and high - low + 1 <= CONSECUTIVE * filled
    return distinct == filled and _is_coded(column)


def _is_coded(column: "pa.ChunkedArray") -> bool:
    """Whether cells are single tokens with digits, all about as long: the look of a code."""
    import numpy as np
    import pyarrow.compute as pc

    sample = column.drop_null().slice(0, SAMPLE)
    lengths = np.asarray(pc.utf8_length(sample))
    spaced = pc.sum(pc.match_substring(sample, " ")).as_py() or 0
    digits = pc.sum(pc.match_substring_regex(sample, "[0-9]")).as_py() or 0
    return not spaced and digits >= 0.9 * len(sample) and float(lengths.std()) <= 2.0


def infer_role(column: "pa.ChunkedArray", distinct: int | None = None) -> tuple[Role, str]:
    """The role of a column that is no identifier, and the reason."""
    import pyarrow.compute as pc

    kind = column_type(column.type)
    if column.null_count == len(column):
        return "constant", "empty"
    if distinct is None:
        distinct = pc.count_distinct(column, mode="only_valid").as_py()
    assert distinct is not None
    if distinct < 2 and not column.null_count:
        return "constant", "the same value in every row"
    if kind in ("integer", "number"):
        return "numeric", f"{kind}, {distinct:,} different values"
    if kind == "datetime":
        return "datetime", "dates or times"
    if kind == "boolean":
        return "categorical", "true or false"
    return _role_of_text(column, distinct)


def _role_of_text(column: "pa.ChunkedArray", distinct: int) -> tuple[Role, str]:
    import numpy as np
    import pyarrow.compute as pc

    sample = column.drop_null().slice(0, SAMPLE)
    words = float(np.mean(np.asarray(pc.count_substring_regex(sample, r"\S+"))))
    characters = float(np.mean(np.asarray(pc.utf8_length(sample))))
    share = distinct / (len(column) - column.null_count)
    if share > TEXT_DISTINCT_SHARE and (words >= TEXT_WORDS or characters >= TEXT_CHARACTERS):
        return "text", f"{words:.1f} words a cell, {share:.0%} of the cells different"
    return "categorical", f"{distinct:,} different values"
