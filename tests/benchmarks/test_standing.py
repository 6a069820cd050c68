import pytest

from benchmarks.peers.standing import _ranks


@pytest.mark.parametrize(
    ("found", "higher", "ranks"),
    [
        ({"a": 0.9, "b": 0.8, "c": 0.7}, True, {"a": 1, "b": 2, "c": 3}),
        ({"a": 0.9, "b": 0.8, "c": 0.7}, False, {"a": 3, "b": 2, "c": 1}),
        ({"a": 0.9, "b": 0.9, "c": 0.7}, True, {"a": 1.5, "b": 1.5, "c": 3}),
        ({"a": None, "b": 0.9}, False, {"a": 2, "b": 1}),
        ({"a": None, "b": None, "c": 1.0}, True, {"a": 2.5, "b": 2.5, "c": 1}),
    ],
)
def test_the_best_is_first_ties_share_and_what_failed_is_last(
    found: dict[str, float | None], higher: bool, ranks: dict[str, float]
) -> None:
    assert _ranks(found, higher) == ranks
