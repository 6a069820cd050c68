"""Print every figure that the documentation states: about half an hour."""

from benchmarks import against_linear, budget, orchestration, profile_speed


def main() -> None:
    """Each benchmark in turn, nothing beside it."""
    for benchmark in (profile_speed, orchestration, budget, against_linear):
        benchmark.main()


if __name__ == "__main__":
    main()
