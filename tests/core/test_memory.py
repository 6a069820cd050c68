"""Readings of memory, control groups, and batches that halve."""

from pathlib import Path

import pytest

from automl_assets.core.memory import (
    UNLIMITED,
    BatchSize,
    cgroup_limit_and_use,
    read_memory,
    release_memory,
    usable_cores,
)

MORE_THAN_THERE_IS_MB = 1e12


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = {"memory_DOT_max": "1000000\n", "memory_DOT_current": "600000\n"}
V1 = {"memory__memory.limit_in_bytes": "2000\n", "memory__memory.usage_in_bytes": "500\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (UNLIMITED, 0)),
        (V2, (1_000_000, 600_000)),
        ({**V2, "memory_DOT_stat": "anon 1\ninactive_file 250000\nactive_file 7\n"}, (1_000_000, 350_000)),
        ({**V2, "memory_DOT_stat": "inactive_file 700000\n"}, (1_000_000, 0)),
        ({**V2, "memory_DOT_max": "max\n"}, (UNLIMITED, 0)),
        (V1, (2000, 500)),
        ({**V1, "memory__memory.stat": "inactive_file 9\ntotal_inactive_file 100\n"}, (2000, 400)),
        ({**V1, "memory__memory.limit_in_bytes": "9223372036854771712\n"}, (UNLIMITED, 0)),
        ({"memory_DOT_max": "1000\n"}, (1000, 0)),
    ],
)
def test_the_control_group_s_limit_is_read_without_the_page_cache(
    tmp_path: Path, files: dict[str, str], expected: tuple[int, int]
) -> None:
    assert cgroup_limit_and_use(write(tmp_path, **files)) == expected


def test_a_reading_is_of_this_process_and_within_the_limit() -> None:
    reading = read_memory()
    assert 2**20 < reading.resident <= reading.peak * 1.05
    assert 0 < reading.available <= reading.limit


def test_memory_that_was_taken_is_seen() -> None:
    before = read_memory().resident
    taken = bytearray(b"x" * (64 << 20))
    assert read_memory().resident - before > 48 << 20
    assert len(taken) == 64 << 20
    release_memory()


def test_batches_stay_as_they_are_while_there_is_room() -> None:
    size = BatchSize(10_000, budget_mb=64)
    assert [size.next_rows() for _ in range(3)] == [10_000] * 3


def test_batches_halve_down_to_512_where_less_is_available_than_the_budget_asks_for() -> None:
    size = BatchSize(3_000, budget_mb=MORE_THAN_THERE_IS_MB)
    assert [size.next_rows() for _ in range(5)] == [1500, 750, 512, 512, 512]


def test_batches_halve_when_the_process_has_grown_past_its_budget() -> None:
    size = BatchSize(4_096, budget_mb=8)
    grown = bytearray(b"x" * (64 << 20))
    assert size.next_rows() == 2_048
    assert len(grown) == 64 << 20


@pytest.mark.parametrize(("rows", "least"), [(100, 100), (1, 1), (0, 1)])
def test_a_batch_that_began_small_is_never_made_larger_or_empty(rows: int, least: int) -> None:
    size = BatchSize(rows, budget_mb=MORE_THAN_THERE_IS_MB)
    assert [size.next_rows() for _ in range(2)] == [least, least]


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1
