"""Which of Evidently's pages stay."""

import os
import time
from pathlib import Path

import pytest

from automl_assets.monitoring.pages import A_DAY, drawn_today, remove_surplus


def draw(folder: Path, name: str, age_seconds: float) -> None:
    """A page and the picture of its causes."""
    for suffix in ("html", "png"):
        path = folder / f"{name}.{suffix}"
        path.write_text(name)
        then = time.time() - age_seconds
        os.utime(path, (then, then))


@pytest.mark.parametrize(("age_seconds", "drawn"), [(0, True), (A_DAY - 60, True), (A_DAY + 60, False)])
def test_one_page_a_day_is_enough(tmp_path: Path, age_seconds: float, drawn: bool) -> None:
    assert not drawn_today(tmp_path)
    draw(tmp_path, "page", age_seconds)
    assert drawn_today(tmp_path) is drawn


def test_the_oldest_pages_go_with_their_pictures_and_a_hundred_stay(tmp_path: Path) -> None:
    for number in range(103):
        draw(tmp_path, f"batch_{number}", age_seconds=number)
    (tmp_path / "batch_102.png").unlink()

    removed = list(remove_surplus(tmp_path))

    assert removed == ["batch_100.html", "batch_101.html", "batch_102.html"]
    assert len(list(tmp_path.glob("*.html"))) == len(list(tmp_path.glob("*.png"))) == 100
    assert list(remove_surplus(tmp_path)) == []
