from pathlib import Path

import pytest

from automl_assets.core.values import Evaluation, Interval
from automl_assets.evaluation.figures import draw_figures

MOST_BYTES = 50 * 1024


def an_evaluation(**parts: object) -> Evaluation:
    nothing = Interval(value=0.0, low=0.0, high=0.0)
    return Evaluation(
        metric="rmse", higher_is_better=False, rows=10, holdout=nothing, dummy=0.0, linear=0.0,
        gain_over_linear=nothing, metrics={}, **{"importances": {}, **parts},
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "classes", "names"),
    [
        ({}, (), []),
        ({"importances": {"a": 0.5, "b": -0.1}}, (), ["importances.png"]),
        ({"roc": ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0)), "confusion": ((3, 1), (0, 6))}, ("no", "yes"),
         ["roc.png", "confusion.png"]),
        ({"residual_quantiles": tuple(i / 10 for i in range(-10, 11))}, (), ["residuals.png"]),
    ],
)  # fmt: skip
def test_a_figure_is_drawn_for_what_there_is(
    tmp_path: Path, parts: dict[str, object], classes: tuple[str, ...], names: list[str]
) -> None:
    drawn = draw_figures(an_evaluation(**parts), classes, tmp_path / "figures")

    assert [path.name for path in drawn] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_even_the_largest_stays_under_50_kb(tmp_path: Path) -> None:
    classes = tuple(f"a rather long class name, number {i}" for i in range(12))
    found = an_evaluation(
        importances={f"a column with a very long name indeed, number {i}": 1.0 / (i + 1) for i in range(200)},
        confusion=tuple(tuple((i * j) % 977 for j in range(12)) for i in range(12)),
        roc=tuple((i / 50, (i / 50) ** 0.5) for i in range(51)),
    )

    drawn = draw_figures(found, classes, tmp_path)

    assert len(drawn) == 3
    assert all(path.stat().st_size < MOST_BYTES for path in drawn)


def test_many_classes_are_drawn_without_their_names(tmp_path: Path) -> None:
    size = 60
    found = an_evaluation(confusion=tuple(tuple(int(i == j) for j in range(size)) for i in range(size)))

    (drawn,) = draw_figures(found, tuple(str(i) for i in range(size)), tmp_path)

    assert drawn.stat().st_size < MOST_BYTES
