"""Two families that misbehave, planted as their users would: a file each in a folder that the registry looks into.

Importing this module plants them: the zygote does, by naming it among its packages. A test uses `planted`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl_assets.learn import families

FOLDER = str(Path(__file__).parent / "planted")
NAMES = ("glutton", "sleeper")


@contextmanager
def planted() -> Iterator[None]:
    """Sleeper and glutton are in the registry, and gone afterwards."""
    _forget()
    families.__path__.append(FOLDER)
    try:
        yield
    finally:
        families.__path__.remove(FOLDER)
        _forget()


def _forget() -> None:
    vars(families.registry).pop("_names", None)
    for name in NAMES:
        vars(families.registry)["_loaded"].pop(name, None)
        sys.modules.pop(f"{families.__name__}.{name}", None)
