"""Real tables that come with the installed libraries, so that the first run needs no data and no network."""

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator

from automl_assets.core.errors import SourceError, unknown_name
from automl_assets.core.fingerprint import digest_of_file
from automl_assets.ingestion.sources._base import Source
from automl_assets.ingestion.sources.parquet import TypedReading

if TYPE_CHECKING:
    import pyarrow as pa


class Bundled(Source):
    """One of the bundled tables.

    randhie: 20,190 person-years of the RAND health insurance experiment (statsmodels); `any_visit` is derived from
    `mdvis`, the number of doctor visits. digits: 1,797 images of 8 x 8 pixels in 10 classes (scikit-learn).
    diabetes: 442 patients and the progression of their disease (scikit-learn).
    """

    type: Literal["bundled"] = "bundled"
    name: str = Field(description="randhie, digits or diabetes.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in TABLES:
            error = unknown_name("bundled table", name, TABLES)
            raise ValueError(f"{error.message} {error.remedy}")
        return name

    def located(self, folder: Path) -> Self:
        return self

    def digest(self, batch: str) -> str:
        return digest_of_file(TABLES[self.name].file())

    def open(self, batch: str) -> TypedReading:
        table = TABLES[self.name].read()
        return TypedReading(
            where=f"bundled:{self.name}", columns=tuple(table.column_names), typed=True, load=table.to_batches
        )


class _Table:
    def __init__(self, package: str, path: str, read: Callable[[Path], "pa.Table"]):
        self._package, self._path, self._read = package, path, read

    def file(self) -> Path:
        spec = importlib.util.find_spec(self._package)
        if spec is None or not spec.submodule_search_locations:
            raise SourceError(
                f"The package {self._package} that carries this table is not installed.",
                where=f"bundled:{self._path}",
                remedy=f"pip install {self._package}",
            )
        return Path(spec.submodule_search_locations[0]) / self._path

    def read(self) -> "pa.Table":
        return self._read(self.file())


def _randhie(path: Path) -> "pa.Table":
    import pyarrow.compute as pc
    import pyarrow.csv

    table = pyarrow.csv.read_csv(path)
    visit = pc.if_else(pc.greater(table.column("mdvis"), 0), "yes", "no")
    return table.append_column("any_visit", visit)


def _digits(path: Path) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    with gzip.open(path) as file:
        data = np.loadtxt(file, delimiter=",", dtype=np.int64)
    columns = {f"pixel_{row}_{column}": data[:, 8 * row + column] for row in range(8) for column in range(8)}
    return pa.table({**columns, "digit": data[:, 64]})


def _diabetes(path: Path) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    with gzip.open(path) as file:
        data = np.loadtxt(file)
    with gzip.open(path.parent / "diabetes_target.csv.gz") as file:
        target = np.loadtxt(file)
    return pa.table({**{name: data[:, i] for i, name in enumerate(names)}, "progression": target})


TABLES: dict[str, _Table] = {
    "randhie": _Table("statsmodels", "datasets/randhie/randhie.csv", _randhie),
    "digits": _Table("sklearn", "datasets/data/digits.csv.gz", _digits),
    "diabetes": _Table("sklearn", "datasets/data/diabetes_data_raw.csv.gz", _diabetes),
}
