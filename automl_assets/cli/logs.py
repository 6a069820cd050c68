"""Logging on stderr: a line of text, or a JSON object a line for machines."""

import json
import logging
import sys
from datetime import UTC, datetime

NOISY = ("alembic", "mlflow", "urllib3", "git", "matplotlib", "filelock", "dagster")


class JsonFormatter(logging.Formatter):
    """One object a record: time (UTC), level, logger, message, and what the record carries as `extra["event"]`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "event", {}),
        }
        return json.dumps(document, ensure_ascii=False)


def set_up_logging(form: str) -> None:
    """Send the root logger to stderr; libraries speak up from warnings on, and only if they have to."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if form == "json" else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if form == "json" else logging.WARNING)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
