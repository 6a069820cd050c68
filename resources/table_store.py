"""Where values and tables are kept, and the IO manager through which assets hand values to each other.

AUTOML_HOME/tables/<pipeline>/<asset>/<batch|all>/<digest>.parquet
AUTOML_HOME/values/<pipeline>/<asset>/<batch|all>/<fingerprint>.json   every result, by what it was made from
AUTOML_HOME/values/<pipeline>/<asset>/<batch|all>/latest.json          the one that downstream assets read
AUTOML_HOME/values/<pipeline>/kept/<name>.json                         what is drawn once: the schema, the holdout
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg

from automl_assets.core import evidence as _evidence  # noqa: F401 - registers its kinds of values
from automl_assets.core.errors import StorageError
from automl_assets.core.files import write_text
from automl_assets.core.tables import open_tables
from automl_assets.core.values import TableHandle, Value, value_from_document

if TYPE_CHECKING:
    import pyarrow.dataset as ds

WHOLE = "all"
LATEST = "latest"


class TableStore(dg.ConfigurableResource):
    """The files of all pipelines under one home."""

    home: str

    @property
    def root(self) -> Path:
        """AUTOML_HOME."""
        return Path(self.home)

    @property
    def tables_root(self) -> Path:
        """What the paths of table handles are relative to."""
        return self.root / "tables"

    @property
    def models_root(self) -> Path:
        """What the paths of trained models are relative to."""
        return self.root / "models"

    @property
    def memory_file(self) -> Path:
        """What fits of each family needed on this installation."""
        return self.root / "studies" / "memory.json"

    def study_folder(self, key: str) -> Path:
        """The folder of one study."""
        return self.root / "studies" / key

    def report_path(self, pipeline: str, name: str) -> Path:
        """Where a report page or a figure of a pipeline lies."""
        return self.root / "reports" / pipeline / name

    def table_folder(self, pipeline: str, asset: str, batch: str = WHOLE) -> str:
        """The folder of an asset's tables, relative to `tables_root`; a batch's key is quoted into one name."""
        return f"{pipeline}/{asset}/{folder_name(batch)}"

    def open(self, handles: "Sequence[TableHandle]") -> "ds.Dataset":
        """The tables as one dataset.

        Raises:
            StorageError: a table's file is gone.
        """
        return open_tables(self.tables_root, handles)

    def paths(self, handles: Sequence[TableHandle]) -> list[str]:
        """The tables' absolute paths."""
        return [str(self.tables_root / handle.path) for handle in handles]

    # ---- values ------------------------------------------------------------------------------------------------

    def save(self, pipeline: str, asset: str, batch: str, value: Value, fingerprint: str | None) -> None:
        """Keep a result as the latest and, unless it is provisional (no fingerprint), as what its inputs give."""
        text = json.dumps({"fingerprint": fingerprint, **value.to_document()}, indent=1)
        if fingerprint is not None:
            write_text(self._value_file(pipeline, asset, batch, fingerprint), text)
        write_text(self._value_file(pipeline, asset, batch, LATEST), text)

    def find(self, pipeline: str, asset: str, batch: str, fingerprint: str) -> Value | None:
        """The stored result of these inputs, or None; a result whose table is gone does not count."""
        value = self._read(self._value_file(pipeline, asset, batch, fingerprint))
        return value if value is not None and self._is_whole(value) else None

    def every(self, pipeline: str, asset: str, batch: str = WHOLE) -> list[Value]:
        """Every stored result of a batch whose table is whole, newest first."""
        folder = self._value_file(pipeline, asset, batch, LATEST).parent
        files = [file for file in folder.glob("*.json") if file.stem != LATEST]
        newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
        found = [self._read(file) for file in newest_first]
        return [value for value in found if value is not None and self._is_whole(value)]

    def latest(self, pipeline: str, asset: str, batch: str = WHOLE) -> Value | None:
        """The latest result, or None."""
        return self._read(self._value_file(pipeline, asset, batch, LATEST))

    def latest_fingerprint(self, pipeline: str, asset: str, batch: str = WHOLE) -> str | None:
        """What the latest result was made from, None where it is provisional or there is none."""
        file = self._value_file(pipeline, asset, batch, LATEST)
        return json.loads(file.read_text()).get("fingerprint") if file.is_file() else None

    def batches(self, pipeline: str, asset: str) -> list[str]:
        """The batches that have a latest result, by folder name."""
        folder = self.root / "values" / pipeline / asset
        return sorted(path.parent.name for path in folder.glob(f"*/{LATEST}.json")) if folder.is_dir() else []

    def kept(self, pipeline: str, name: str) -> Value | None:
        """A value that is drawn once and kept, or None."""
        return self._read(self.root / "values" / pipeline / "kept" / f"{name}.json")

    def keep(self, pipeline: str, name: str, value: Value) -> None:
        """Keep a value under a name."""
        write_text(self.root / "values" / pipeline / "kept" / f"{name}.json", json.dumps(value.to_document(), indent=1))

    def _value_file(self, pipeline: str, asset: str, batch: str, name: str) -> Path:
        return self.root / "values" / pipeline / asset / folder_name(batch) / f"{name}.json"

    def _read(self, file: Path) -> Value | None:
        if not file.is_file():
            return None
        try:
            document: dict[str, Any] = json.loads(file.read_text())
        except ValueError as error:
            raise StorageError(
                "A stored value is damaged.", where=str(file), remedy="Delete the file and run again."
            ) from error
        document.pop("fingerprint", None)
        return value_from_document(document, where=str(file))

    def _is_whole(self, value: Value) -> bool:
        table = getattr(value, "table", None)
        return not isinstance(table, TableHandle) or (self.tables_root / table.path).is_file()


def folder_name(batch: str) -> str:
    """A batch's key as one path component; no key becomes a path."""
    name = quote(batch, safe="")
    return name if name.strip(".") else name.replace(".", "%2E")


class ValueIOManager(dg.ConfigurableIOManager):
    """Loads inputs from the store. Outputs were saved by the step that made them, so nothing is left to do."""

    home: str

    def handle_output(self, context: dg.OutputContext, obj: Value | None) -> None:
        """Nothing: a step saves its value together with its fingerprint."""

    def load_input(self, context: dg.InputContext) -> Value | dict[str, Value]:
        """An upstream asset's latest value; a dict by partition where several are mapped to this step."""
        store = TableStore(home=self.home)
        pipeline, asset = context.asset_key.path
        if not context.has_asset_partitions:
            return self._require(store.latest(pipeline, asset), context)
        keys = list(context.asset_partition_keys)
        if context.has_partition_key:
            return self._require(store.latest(pipeline, asset, keys[0]), context)
        found = {key: store.latest(pipeline, asset, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def _require(self, value: Value | None, context: dg.InputContext) -> Value:
        if value is None:
            raise StorageError(
                f"{context.asset_key.to_user_string()} has not been materialised yet.",
                remedy="Materialise it first, or run the whole pipeline with `automl run`.",
            )
        return value
