"""Labels that came later, given to the rows that they are of: by the user's own columns, or by prediction id.

Keys are compared as text, because the two tables are typed apart: 7, 7.0 and "7" are one key, as are a date and its
midnight. The batch's keys are held in memory; the labels, which may be many more, pass in pieces.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.errors import SchemaError, bounded
from automl_assets.core.evidence import LabelMatch
from automl_assets.core.fingerprint import DIGEST_BYTES
from automl_assets.core.tables import DEFAULT_BATCH_ROWS, iterate, read
from automl_assets.learn.split import label_texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

PREDICTION_ID = "prediction_id"
BETWEEN = "\x1f"
MIDNIGHT = r"^(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0*)?)?)?Z?$"
MOMENT = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.0*)?Z?$"


@dataclass(frozen=True)
class MatchedLabels:
    """The label of each row of a batch, missing where there is none yet, and how they met.

    digest: of the labels row by row: another one only if this batch's labels changed.
    """

    values: "pa.Array"
    match: LabelMatch
    digest: str


def match_labels(
    raw: "ds.Dataset",
    labels: "ds.Dataset",
    *,
    target: str,
    key: Sequence[str] = (PREDICTION_ID,),
    predictions: "Sequence[ds.Dataset]" = (),
) -> MatchedLabels:
    """Give each row of the batch its label. Of several for one key the last counts; a missing label says nothing.

    `unknown` counts labels that are of no row of this batch, but of another batch's or of none.

    Args:
        labels: a table with the key columns and the target; order is time.
        key: the columns that identify a row, or just ``prediction_id``.
        predictions: the batch's predictions, newest first, in its rows' order: one table a version that scored it.

    Raises:
        SchemaError: a table lacks a key column or the target, or a key column is of a type that can't identify a row.
    """
    import numpy as np
    import pyarrow as pa

    by_prediction = tuple(key) == (PREDICTION_ID,) and PREDICTION_ID not in raw.schema.names
    sides = list(predictions) if by_prediction else [raw]
    for dataset, where in ((labels, "the labels"), *((side, "the batch") for side in sides)):
        _require(dataset, key if dataset is not labels else (*key, target), where)
    rows = raw.count_rows()
    codes, known = _codes([_keys(read(side, key), key) for side in sides], rows)
    kind = labels.schema.field(target).type
    key_texts(pa.chunked_array([], kind), target)
    pool = _Pool(len(known), kind)
    for piece in _pieces(labels, list(dict.fromkeys([*key, target])), least=rows):
        pool.take(_positions(_keys(piece, key), known), piece.column(target).combine_chunks())
    of_row = np.full(rows, -1, dtype=np.int64)
    for code in reversed(codes):
        found = np.where(code >= 0, pool.place[code], -1) if len(known) else of_row
        of_row = np.where(found >= 0, found, of_row)
    values = pool.values_at(of_row)
    matched = len(values) - values.null_count
    match = LabelMatch(
        matched=matched,
        waiting=rows - matched,
        unknown=pool.unknown,
        duplicates=pool.duplicates,
        conflicts=pool.conflicts,
    )
    return MatchedLabels(values, match, labels_digest(values))


def _require(dataset: "ds.Dataset", columns: Sequence[str], where: str) -> None:
    missing = [name for name in columns if name not in dataset.schema.names]
    if missing:
        raise SchemaError(
            f"The table has no column {bounded(missing)}.",
            where=where,
            remedy=f"Change labels.key, or the table. It has {bounded(dataset.schema.names)}.",
        )


def _pieces(labels: "ds.Dataset", columns: Sequence[str], *, least: int) -> "Iterator[pa.Table]":
    """The labels' rows in pieces not smaller than the batch: looking keys up costs a pass over the batch's each."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for piece in iterate(labels, columns):
        held.append(piece)
        if sum(batch.num_rows for batch in held) >= max(least, DEFAULT_BATCH_ROWS):
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _keys(table: "pa.Table", key: Sequence[str]) -> "pa.Array":
    """One text a row; missing where a part is."""
    import pyarrow.compute as pc

    texts = [key_texts(table.column(name), name) for name in key]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, BETWEEN)


def key_texts(column: "pa.ChunkedArray", name: str = "") -> "pa.Array":
    """Each value as the text that identifies it, missing where it is empty.

    Raises:
        SchemaError: the column holds lists or the like.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    array = column.combine_chunks()
    try:
        if t.is_dictionary(array.type):
            array = array.dictionary_decode()
        if t.is_floating(array.type):
            text = pa.array(label_texts(array), pa.string())
        else:
            text = array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"Values of type {array.type} can't be compared.", where=name, remedy="Change labels.key, or the table."
        ) from error
    if t.is_string(array.type) or t.is_temporal(array.type):
        text = pc.utf8_trim_whitespace(text)
        text = pc.replace_substring_regex(text, MIDNIGHT, r"\1")
        text = pc.replace_substring_regex(text, MOMENT, r"\1 \2")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _codes(sides: "list[pa.Array]", rows: int) -> "tuple[list[np.ndarray], pa.Array]":
    """For each side each row's position among the distinct keys (-1 where missing), and those keys."""
    import numpy as np
    import pyarrow as pa

    coded = pa.concat_arrays([pa.array([], pa.string()), *sides]).dictionary_encode()
    positions = np.asarray(coded.indices.fill_null(-1))
    return [positions[start : start + rows] for start in range(0, rows * len(sides), max(1, rows))], coded.dictionary


def _positions(keys: "pa.Array", known: "pa.Array") -> "np.ndarray":
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.index_in(keys, value_set=known, skip_nulls=True).fill_null(-1))


class _Pool:
    """The last label of each key so far: `place[k]` is where key k's label stands among the kept ones, or -1."""

    def __init__(self, keys: int, kind: "pa.DataType"):
        import numpy as np
        import pyarrow as pa

        self.place = np.full(keys, -1, dtype=np.int64)
        self.kept: pa.Array = pa.array([], kind)
        self.unknown = self.duplicates = self.conflicts = 0

    def take(self, positions: "np.ndarray", labels: "pa.Array") -> None:
        """Note a piece of the labels, in their order."""
        import numpy as np
        import pyarrow as pa

        texts = label_texts(labels)
        there = np.array([text is not None and text.strip() != "" for text in texts], dtype=bool)
        self.unknown += int((there & (positions < 0)).sum())
        rows = np.flatnonzero(there & (positions >= 0))
        before = self._before(positions, rows)
        everything = pa.concat_arrays([self.kept, labels])
        all_texts = np.concatenate([label_texts(self.kept), texts])
        again = before >= 0
        same = all_texts[before] == all_texts[rows + len(self.kept)] if len(rows) else again
        self.duplicates += int((again & same).sum())
        self.conflicts += int((again & ~same).sum())
        self.place[positions[rows]] = rows + len(self.kept)
        self._keep(everything)

    def _before(self, positions: "np.ndarray", rows: "np.ndarray") -> "np.ndarray":
        """For each of the rows where the label before it of the same key stands, or -1."""
        import numpy as np

        order = rows[np.argsort(positions[rows], kind="stable")]
        of_key = positions[order]
        first = np.r_[True, of_key[1:] != of_key[:-1]][: len(order)]
        found = np.where(first, self.place[of_key], np.r_[-1, order[:-1] + len(self.kept)][: len(order)])
        result = np.empty(len(rows), dtype=np.int64)
        result[np.searchsorted(rows, order)] = found
        return result

    def _keep(self, everything: "pa.Array") -> None:
        """Forget every label that another one has followed."""
        import numpy as np
        import pyarrow as pa

        held = np.flatnonzero(self.place >= 0)
        self.kept = everything.take(pa.array(self.place[held]))
        self.place[held] = np.arange(len(held))

    def values_at(self, of_row: "np.ndarray") -> "pa.Array":
        """The kept labels at these places, missing at -1."""
        import pyarrow as pa

        return self.kept.take(pa.array(of_row, mask=of_row < 0))


def labels_digest(values: "pa.Array") -> str:
    """The 128-bit BLAKE2b of labels, row by row; the same for 1 and 1.0."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for text in label_texts(values):
        digest.update(b"\x00" if text is None else b"\x01" + text.encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()


def labelled_schema(raw: "pa.Schema", values: "pa.DataType", target: str) -> "pa.Schema":
    """The schema of `labelled_table`: the target is of the wider type where both tables have one, else text."""
    import pyarrow as pa
    import pyarrow.types as t

    if target not in raw.names:
        return raw.append(pa.field(target, pa.string() if t.is_null(values) else values))
    own, both = raw.field(target).type, (raw.field(target).type, values)
    if own != values and not t.is_null(values):
        numeric = all(t.is_integer(kind) or t.is_floating(kind) for kind in both)
        own = pa.float64() if numeric else pa.string()
    return raw.set(raw.get_field_index(target), pa.field(target, own))


def labelled_table(raw: "ds.Dataset", values: "pa.Array", target: str) -> "Iterator[pa.RecordBatch]":
    """The batch's labelled rows with the target filled, in the rows' order: what training reads.

    A row whose label has not come keeps the target that the batch itself had, if any.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = labelled_schema(raw.schema, values.type, target)
    start = 0
    for piece in iterate(raw):
        label = as_type(values.slice(start, piece.num_rows), schema.field(target).type)
        start += piece.num_rows
        if target in piece.schema.names:
            own = as_type(piece.column(target), label.type)
            columns = {**dict(zip(piece.schema.names, piece.columns, strict=True)), target: pc.coalesce(label, own)}
        else:
            columns = {**dict(zip(piece.schema.names, piece.columns, strict=True)), target: label}
        filled = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
        yield filled.filter(filled.column(target).is_valid())


def as_type(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """The labels as a type that `labelled_schema` chose."""
    import pyarrow as pa

    if array.type == kind:
        return array
    return pa.array(label_texts(array), pa.string()) if kind == pa.string() else array.cast(kind)
