"""Imports that leave out what libraries import only in case a caller wants it."""

import importlib.abc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Refused(importlib.abc.MetaPathFinder):
    """Says of some modules that they are not installed."""

    def __init__(self, names: tuple[str, ...]):
        self._names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """None, so that other finders look for the module, unless it is refused."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is left out here, though it may be installed.", name=fullname)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Inside, importing one of some top-level modules fails as if it were not installed, unless it is imported already.

    For all threads, so keep it short.
    """
    finder = _Refused(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
