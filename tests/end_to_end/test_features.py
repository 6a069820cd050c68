"""A configuration that pipelines share, with the user's own transformer in it, by the commands that a user types."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import Project

MODULE = """
import pyarrow as pa
import pyarrow.compute as pc


class Folded:
    '''|x - the training rows' median of x|.'''

    def fit(self, table, y):
        self.centre = {centre}
        return self

    def transform(self, table):
        return pa.table({{"folded": pc.abs(pc.subtract(table["x"], self.centre))}})

    def to_json(self):
        return {{"centre": self.centre}}

    @classmethod
    def from_json(cls, document):
        made = cls()
        made.centre = document["centre"]
        return made
"""
MEDIAN = 'pc.approximate_median(table["x"]).as_py()'
PLATFORM = "features:\n  house: {scaler: robust, custom: ['house_features:Folded']}\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A pipeline that uses the platform's configuration, whose code lies in a folder on the path."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "house_features.py").write_text(MODULE.format(centre=MEDIAN))
    made = Project(tmp_path, {"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"})
    made.write("risk")
    path = tmp_path / "pipelines" / "risk" / "defs.yaml"
    path.write_text(path.read_text() + "  features: {pipeline: house, pairs: 2}\n")
    (tmp_path / "pipelines" / "platform.yaml").write_text(PLATFORM)
    yield made
    made.close()


def predicted(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["probability_yes"] for row in csv.DictReader(file)]


def test_a_transformer_goes_from_the_platforms_file_into_predictions_and_new_code_is_trained_anew(
    project: Project,
) -> None:
    predict = ("predict", "risk", "data/risk.csv", "--out", "scored.csv")
    (checked,) = project.ok("check", "risk", cold=True)["pipelines"]
    assert "features 'house'" in checked["message"]
    assert project.ok("run", "risk", cold=True)["model"]["version"] == "1"
    project.ok(*predict, cold=True)
    first = predicted(project.root / "scored.csv")

    (project.root / "code" / "house_features.py").write_text(MODULE.format(centre="1.0"))
    refused = project.run(*predict, cold=True)
    assert refused.code == 2
    assert "The code of the transformer 'house_features:Folded' has changed since the model was trained." in refused.err

    again = project.ok("run", "risk", cold=True)
    assert again["status"] == "success"
    assert (again["model"]["version"], again["model"]["alias"]) == ("2", "champion")
    assert {"tuning_study", "trained_model"} <= set(again["seconds"])
    project.ok(*predict, cold=True)
    assert predicted(project.root / "scored.csv") != first
