"""What a stored encoder of version 0.1 means today, and whose code a stored encoder may have imported."""

from collections.abc import Sequence
from typing import Any

from automl_assets.core.errors import StorageError
from automl_assets.learn.features.imputers import Imputer

OLDER_KINDS = {"text": "words", "datetime": "parts"}


def older_kind(kind: str) -> str:
    """The file that a column encoder's kind names today."""
    return OLDER_KINDS.get(kind, kind)


def older_imputer(document: dict[str, Any]) -> Imputer | None:
    """The medians of a dense encoder of version 0.1, which each column kept for itself; a text's length had none."""
    from automl_assets.learn.features.imputers.median import Median

    if document["view"] != "dense":
        return None
    numbers = [column for column in document["columns"] if column["kind"] in ("numeric", "text")]
    return Median(tuple(float(column.get("median", 0.0)) for column in numbers))


def checked_custom(columns: Sequence[dict[str, Any]], trusted: Sequence[str]) -> None:
    """Refuse import paths that nobody but the file asks for.

    Raises:
        StorageError: naming the path.
    """
    for column in columns:
        if column["kind"] == "custom" and column["name"] not in trusted:
            raise StorageError(
                f"The stored encoder asks for the transformer {column['name']!r}, which no trusted recipe names.",
                remedy="Name it in features.custom of the pipeline and train again, or use another model.",
            )
