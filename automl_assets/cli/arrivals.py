"""Files that landed, as a command looks at them: twice, a second apart, so that one that still grows is left out."""

import time
from collections.abc import Callable
from pathlib import Path

from automl_assets.core.errors import SourceError
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.batches import recognise
from automl_assets.ingestion.landing import files_in, hash_file
from automl_assets.ingestion.sources._base import FileSource
from automl_assets.pipeline import PipelineConfig
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches

SECONDS_BETWEEN_LOOKS = 1.0


def receive_files(
    config: PipelineConfig, database: PlatformDatabase, wait: Callable[[float], None] = time.sleep
) -> tuple[dict[str, LandedBatch], list[str]]:
    """Recognise what lies in the folder and write it down: every known file by key, and what people should know.

    Raises:
        SourceError: the folder is not there, or the source is none of files.
    """
    if not isinstance(config.source, FileSource):
        raise SourceError(
            f"A {config.source.type!r} source has no files that land.",
            where=config.name,
            remedy="Set batches.kind to none, or use csv or parquet.",
        )
    folder, glob = Path(config.source.path), config.batches.glob or config.source.default_glob
    records = Batches(database)
    known = records.known(config.name)
    first = recognise(config.name, known, files_in(folder, glob, config.batches.marker), (), lambda _: None)
    if first.seen:
        wait(SECONDS_BETWEEN_LOOKS)
    files = files_in(folder, glob, config.batches.marker)
    look = recognise(config.name, known, files, first.seen, lambda file: hash_file(folder, file))
    written = records.land([*look.arrived, *look.touched, *look.rewritten])
    return {**known, **{row.key: row for row in written}}, look.told()
