from pathlib import Path

import pyarrow as pa
import pytest

from automl_assets.core.errors import RegistryError, StorageError
from automl_assets.core.ports import VersionInfo
from automl_assets.core.tables import write_arrow
from automl_assets.core.values import Champion
from automl_assets.registration import assets
from automl_assets.registration.judge import predict_rows
from tests.training.small_models import Small


def test_a_model_that_is_not_the_registered_one_judges_nothing(regression: Small, tmp_path: Path) -> None:
    write_arrow(tmp_path / "rows.arrow", pa.table({"age": [1.0]}))

    with pytest.raises(StorageError, match="not the ones that were registered"):
        predict_rows(
            str(regression.folder),
            "another digest",
            str(tmp_path / "rows.arrow"),
            str(tmp_path / "out.npy"),
            kind="regression",
            classes=[],
            threads=1,
        )
    assert not (tmp_path / "out.npy").exists()


class OneVersion:
    """A registry whose champion is given."""

    def __init__(self, info: VersionInfo | None):
        self.info = info

    def aliased(self, name: str) -> VersionInfo | None:
        return self.info


def test_the_champion_is_the_version_that_the_alias_points_at() -> None:
    info = VersionInfo("churn", "4", "run", {"model_sha256": "abc"})

    found = assets.current_champion("churn", OneVersion(info))  # type: ignore[arg-type]

    assert found == Champion(name="churn", version="4", run_id="run", digest="abc")


def test_without_a_champion_the_error_says_how_to_get_one() -> None:
    with pytest.raises(RegistryError, match=r"churn has no champion yet\..*automl run"):
        assets.current_champion("churn", OneVersion(None))  # type: ignore[arg-type]
