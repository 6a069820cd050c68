"""What a bundled configuration is: a recipe with a name and a reason."""

import inspect
from typing import ClassVar

from automl_assets.learn.features.recipe import Recipe


class Configuration:
    """A recipe under its file's name. The docstring says in its first line when to choose it."""

    recipe: ClassVar[Recipe]

    @classmethod
    def told(cls) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]
