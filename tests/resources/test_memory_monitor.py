"""Memory, measured: in children under a real limit, so that a wrong answer is a killed child."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.core.errors import BudgetError
from automl_assets.learn.runner import Outcome, Runner
from resources.memory_monitor import MIB, MemoryMonitor

TABLE_MB = 320
BUDGET_MB = TABLE_MB // 2
SLACK_MB = 60
COLUMNS = 10
ROWS = TABLE_MB * 2**20 // (8 * COLUMNS)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table twice the budget: random numbers, which no encoding makes small."""
    path = tmp_path_factory.mktemp("memory") / "table.parquet"
    drawn = np.random.default_rng(0)
    schema = pa.schema([(f"x{k}", pa.float64()) for k in range(COLUMNS)])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, ROWS, 1 << 17):
            rows = min(1 << 17, ROWS - start)
            values = [pa.array(drawn.random(rows)) if k else pa.array(np.ones(rows)) for k in range(COLUMNS)]
            writer.write_batch(pa.RecordBatch.from_arrays(values, schema=schema))
    return path


@pytest.fixture(scope="module")
def light() -> Iterator[Runner]:
    """A zygote with nothing but what these children import, so that little of their memory is not their own."""
    with Runner(packages=("pyarrow.dataset", "pyarrow.compute", "tests.resources.limited")) as runner:
        yield runner


@pytest.fixture(scope="module")
def base_mb(light: Runner, table: Path) -> float:
    """What a child has before it does anything, by the same measure as its limit."""
    return run(light, "touch_nothing", table, 4_000).peak_mb


@pytest.fixture
def in_child(light: Runner, table: Path, base_mb: float) -> Callable[..., Outcome]:
    """Calls in a child that is killed when it takes more than the budget, and some slack, for itself."""

    def call(what: str, **arguments: float) -> Outcome:
        return run(light, what, table, base_mb + BUDGET_MB + SLACK_MB, **arguments)

    return call


def run(runner: Runner, what: str, path: Path, memory_mb: float, **arguments: float) -> Outcome:
    """A function of `limited.py` in a child."""
    return runner.run(
        f"tests.resources.limited:{what}",
        {"path": str(path), **arguments},
        deadline_seconds=60,
        memory_mb=memory_mb,
    )


def test_the_limit_is_real_reading_the_whole_table_is_killed(in_child: Callable[..., Outcome]) -> None:
    assert in_child("read_whole", budget_mb=BUDGET_MB).kind == "memory"


def test_a_table_twice_the_budget_is_refused_before_it_is_read(
    in_child: Callable[..., Outcome], base_mb: float
) -> None:
    outcome = in_child("ask_for_the_whole", size_mb=TABLE_MB, budget_mb=BUDGET_MB)
    assert outcome.kind == "ok", outcome
    assert outcome.value["code"] == "memory_budget"
    assert f"needs about {TABLE_MB} MiB" in outcome.value["message"]
    assert outcome.peak_mb < base_mb + SLACK_MB


@pytest.mark.parametrize("pause_seconds", [0.0, 0.03])
def test_a_table_twice_the_budget_is_finished_in_batches(
    in_child: Callable[..., Outcome], base_mb: float, pause_seconds: float
) -> None:
    outcome = in_child("read_in_batches", budget_mb=BUDGET_MB, pause_seconds=pause_seconds)
    assert outcome.kind == "ok", outcome
    assert outcome.value["rows"] == ROWS
    assert outcome.value["total"] == ROWS
    assert outcome.peak_mb < base_mb + BUDGET_MB + SLACK_MB
    assert 0 < outcome.value["peak_mb"] < BUDGET_MB + SLACK_MB


def test_batches_are_halved_while_memory_is_tight(in_child: Callable[..., Outcome]) -> None:
    outcome = in_child("sizes_while_filling", budget_mb=100)
    assert outcome.kind == "ok", outcome
    assert outcome.value == [8192, 8192, 4096, 2048, 2048]


def test_the_state_follows_what_the_process_uses(in_child: Callable[..., Outcome]) -> None:
    outcome = in_child("state_at", warning_mb=50, critical_mb=100)
    assert outcome.kind == "ok", outcome
    assert outcome.value["answers"] == [["normal", 1000], ["warning", 1000], ["critical", 500], ["normal", 1000]]


def test_thresholds_are_shares_of_the_limit_unless_stated() -> None:
    limit = MemoryMonitor().read().limit / MIB
    assert MemoryMonitor().thresholds_mb() == pytest.approx((0.80 * limit, 0.92 * limit))
    assert MemoryMonitor(warning_mb=10, critical_mb=20).thresholds_mb() == (10, 20)


def test_what_cannot_fit_is_not_started_and_what_ran_is_measured() -> None:
    started = False
    with pytest.raises(BudgetError) as caught, MemoryMonitor().budget(1e9, what="Dreaming"):
        started = True
    assert not started
    assert caught.value.message.startswith("Dreaming needs about 1,000,000,000 MiB")
    with MemoryMonitor().budget(64) as use:
        held = bytearray(b"x" * (48 * MIB))
    assert use.grown_mb == pytest.approx(48, abs=12)
    del held


def test_past_the_critical_threshold_nothing_is_available() -> None:
    monitor = MemoryMonitor(critical_mb=1)
    assert monitor.state() == "critical"
    assert monitor.available_mb() == 0.0
    assert monitor.fit_mb() == 0.0
