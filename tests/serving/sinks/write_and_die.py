"""A program that writes predictions to a sink, given as JSON, and is killed after the first piece."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from automl_assets.serving.config import sink_from
from tests.serving.sinks.predictions import predictions


class Deadly:
    """A dataset that ends the process when its second piece is asked for."""

    def __init__(self, table: pa.Table):
        self.table, self.schema = table, table.schema

    def scanner(self, **_: Any) -> "Deadly":
        return self

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.table.slice(0, 2).to_batches()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sink = sink_from(json.loads(sys.argv[1]))
    sink.write(Deadly(predictions(3, version="2")), pipeline="churn", batch="monday", version="2")
