from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.evidence import Aspect, Cause
from automl_assets.core.sketches import Sketch
from automl_assets.evaluation.reference import reference_of
from automl_assets.monitoring.figures import draw_causes

ROLES = {"number": "numeric", "label": "categorical", "text": "text", "when": "datetime", "gap": "numeric"}


def sides(shift: float) -> tuple[dict[str, Sketch], dict[str, Sketch]]:
    def table(shift: float) -> pa.Table:
        values = np.random.default_rng(0).normal(size=500) + shift
        return pa.table(
            {
                "number": values,
                "label": [f"a rather long label, number {int(v * 9)}" for v in values],
                "text": ["so it goes " * int(np.clip(v + 2, 1, 9)) for v in values],
                "when": pa.array(np.arange(500), pa.timestamp("us")),
                "gap": pa.nulls(500, pa.float64()),
            }
        )

    reference = reference_of(ds.dataset(table(0.0)), ROLES)
    now = {name: reference.count(name, table(shift).column(name).combine_chunks()) for name in reference.features}
    return dict(reference.sketches), now


def a_cause(feature: str, aspect: Aspect = "distribution") -> Cause:
    return Cause(feature=feature, aspect=aspect, weight=0.25, reason="drifted")


@pytest.mark.parametrize("shift", [0.5, 1e6])
@pytest.mark.parametrize("private", [(), ("number", "label")])
def test_causes_are_drawn_small(tmp_path: Path, shift: float, private: tuple[str, ...]) -> None:
    before, now = sides(shift)
    causes = [a_cause("number"), a_cause("label"), a_cause("text", "text_length"), a_cause("when", "missing")]

    drawn = draw_causes(before, now, causes, tmp_path / "drift" / "causes.png", private=private)

    assert drawn
    picture = (tmp_path / "drift" / "causes.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 50 * 1024


def test_a_column_without_values_is_no_obstacle(tmp_path: Path) -> None:
    before, now = sides(0.5)

    assert draw_causes(before, now, [a_cause("gap"), a_cause("number")], tmp_path / "causes.png")


@pytest.mark.parametrize("causes", [[], [a_cause("unknown")]])
def test_nothing_to_draw_is_no_picture(tmp_path: Path, causes: list[Cause]) -> None:
    assert not draw_causes(*sides(0.5), causes, tmp_path / "causes.png")
    assert not (tmp_path / "causes.png").exists()
