"""`automl reproduce`: each bundled pipeline's version, made again, is identical.

They run with few configurations here, and as their YAML says by `make reproduce-test`.
"""

import pytest

from tests.end_to_end.command import Project
from tests.end_to_end.reproducing import identical, project

__all__ = ["project"]

BUNDLED = ("diabetes", "digits", "doctor_visits")
FEW = ("--set", "tuning.max_trials=2", "--set", "monitoring.engine=own")
FEWER = {"digits": ("--set", "tuning.max_trials=1")}


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_pipeline_of_few_configurations_is_identical(name: str, project: Project) -> None:
    assert project.ok("run", name, *FEW, *FEWER.get(name, ()))["model"]["version"] == "1"
    identical(project, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_pipeline_is_identical(name: str, project: Project) -> None:
    done = project.run("run", name, "--json", timeout=1500)
    assert done.code == 0, done.err
    identical(project, name)
