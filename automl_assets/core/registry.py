"""A folder is a registry: every file of it that does not start with an underscore is one plug-in.

The file's name is the plug-in's name, so listing names imports nothing, and adding a plug-in is adding a file.
Each file defines exactly one public class derived from the folder's base class.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, Generic, TypeVar

from automl_assets.core.errors import UnknownNameError, unknown_name

Plugin = TypeVar("Plugin")


class Registry(Generic[Plugin]):
    """The plug-ins of one folder, found by name and imported when first asked for."""

    def __init__(self, package: str, base: type[Plugin], kind: str):
        self._package = package
        self._base = base
        self._kind = kind
        self._loaded: dict[str, type[Plugin]] = {}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        folder = importlib.import_module(self._package)
        return tuple(sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_")))

    def names(self) -> tuple[str, ...]:
        """The plug-ins' names in alphabetical order."""
        return self._names

    def get(self, name: str, *, where: str | None = None) -> type[Plugin]:
        """The plug-in class called `name`.

        Raises:
            UnknownNameError: no file of the folder has that name; the nearest is suggested.
        """
        if name not in self._names:
            raise unknown_name(self._kind, name, self._names, where=where)
        if name not in self._loaded:
            self._loaded[name] = self._class_of(importlib.import_module(f"{self._package}.{name}"))
        return self._loaded[name]

    def of_type(self, settings: Mapping[str, Any]) -> type[Plugin]:
        """The plug-in class that a section's `type` names; pydantic tells its error with the line.

        Raises:
            ValueError: there is no `type`, or no such plug-in.
        """
        try:
            return self.get(str(settings.get("type", "")))
        except UnknownNameError as error:
            raise ValueError(f"{error.message} {error.remedy}") from error

    def all(self) -> dict[str, type[Plugin]]:
        """Every plug-in class by name; imports the whole folder."""
        return {name: self.get(name) for name in self._names}

    def _class_of(self, module: ModuleType) -> type[Plugin]:
        found = [
            member
            for name, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, self._base) and member.__module__ == module.__name__ and not name.startswith("_")
        ]
        if len(found) != 1:
            raise TypeError(
                f"{module.__name__} must define exactly one public {self._base.__name__}; it defines {len(found)}."
            )
        return found[0]
