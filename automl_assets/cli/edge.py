"""The process's edge: results and errors as people or machines read them, and the exit codes."""

import json
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

from automl_assets.core.errors import AutoMLError

INTERRUPTED = 130


def report(error: AutoMLError, as_json: bool) -> int:
    """Say what went wrong, where it is read; the exit code."""
    if as_json:
        print(json.dumps({"error": error.as_json()}, ensure_ascii=False))
    else:
        from automl_assets.cli.display import print_error

        print_error(error)
    return error.exit_code


def interrupted() -> AutoMLError:
    """What Ctrl-C becomes."""
    error = AutoMLError(
        "Stopped by Ctrl-C.", code="interrupted", remedy="The same command goes on where this one stopped."
    )
    error.exit_code = INTERRUPTED
    return error


def unexpected(error: Exception) -> AutoMLError:
    """An error that nobody foresaw: the traceback goes to a file that a report can carry."""
    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile("w", prefix="automl-error-", suffix=".log", delete=False) as file:
        file.write(text)
    return AutoMLError(
        f"Something unforeseen happened: {type(error).__name__}: {str(error)[:300]}",
        code="unexpected",
        remedy=f"Please report it with {file.name}.",
    )


def emit(document: dict[str, Any], as_json: bool, render: Callable[[dict[str, Any]], None]) -> None:
    """Print a result: as JSON, or for people."""
    if as_json:
        print(json.dumps(document, ensure_ascii=False, default=str))
    else:
        render(document)
