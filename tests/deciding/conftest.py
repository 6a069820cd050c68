"""A pipeline to decide about."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from resources.platform_database import close_all
from tests.deciding.world import World


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made
    close_all()


@pytest.fixture
def world(tmp_path: Path, instance: dg.DagsterInstance) -> World:
    return World(tmp_path, instance)
