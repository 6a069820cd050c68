"""A folder of plug-ins is a registry."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_assets.core.errors import UnknownNameError
from automl_assets.core.registry import Registry

BASE = "class Shape:\n    pass\n"
CIRCLE = "from shapes_for_test._base import Shape\nclass Circle(Shape):\n    pass\nclass _Hidden(Shape):\n    pass\n"
SQUARE = (
    "from shapes_for_test._base import Shape\nfrom shapes_for_test.circle import Circle\n"
    "class Square(Shape):\n    pass\n"
)
TWO = "from shapes_for_test._base import Shape\nclass A(Shape):\n    pass\nclass B(Shape):\n    pass\n"


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    folder = tmp_path / "shapes_for_test"
    folder.mkdir()
    files = {"__init__": "", "_base": BASE, "circle": CIRCLE, "square": SQUARE, "two": TWO, "none": "x = 1\n"}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield Registry("shapes_for_test", importlib.import_module("shapes_for_test._base").Shape, "shape")
    for name in [name for name in sys.modules if name.startswith("shapes_for_test")]:
        del sys.modules[name]


def test_every_file_without_an_underscore_is_a_plug_in(shapes: Registry) -> None:
    assert shapes.names() == ("circle", "none", "square", "two")


def test_listing_names_imports_no_plug_in(shapes: Registry) -> None:
    shapes.names()
    assert "shapes_for_test.circle" not in sys.modules


def test_a_plug_in_is_the_one_public_class_of_its_own_file(shapes: Registry) -> None:
    assert shapes.get("circle").__name__ == "Circle"
    assert shapes.get("square").__name__ == "Square"
    assert shapes.get("circle") is shapes.get("circle")


@pytest.mark.parametrize(("name", "count"), [("two", 2), ("none", 0)])
def test_a_file_with_another_number_of_classes_is_refused(shapes: Registry, name: str, count: int) -> None:
    with pytest.raises(TypeError, match=f"exactly one public Shape; it defines {count}"):
        shapes.get(name)


def test_an_unknown_plug_in_is_answered_with_the_nearest(shapes: Registry) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown shape 'squre'\. Did you mean 'square'"):
        shapes.get("squre")


@pytest.mark.parametrize(
    "module",
    [
        "automl_assets.ingestion.sources",
        "automl_assets.quality.rules",
        "automl_assets.cleaning.operations",
        "automl_assets.learn.families",
        "automl_assets.problems.types",
        "automl_assets.monitoring.drift",
    ],
)
def test_every_plug_in_of_the_project_loads(module: str) -> None:
    registry = importlib.import_module(module).registry
    assert registry.names()
    assert tuple(registry.all()) == registry.names()


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"type": "sqare"}, "Unknown shape 'sqare'"), ({}, "Unknown shape ''"), ({"type": 3}, "Unknown shape '3'")],
)
def test_a_section_s_type_that_names_nothing_is_told_as_pydantic_wants_it(
    shapes: Registry, settings: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        shapes.of_type(settings)


def test_a_section_s_type_names_its_plug_in(shapes: Registry) -> None:
    for name in ("circle", "square"):
        assert shapes.of_type({"type": name, "size": 1}) is shapes.get(name)
