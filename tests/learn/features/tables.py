"""A table with every role, made by a seed, and tables that are awkward on purpose."""

import numpy as np
import pyarrow as pa

ROLES = {"number": "numeric", "other": "numeric", "colour": "categorical", "when": "datetime", "words": "text"}
WORDS = np.array(["one", "two", "three", "Four!", "5"])


def a_table(rows: int = 120, seed: int = 0) -> pa.Table:
    """Every role, each but the texts with missing cells."""
    generator = np.random.default_rng(seed)
    hidden = generator.random(rows) < 0.2
    number = generator.normal(size=rows)
    times = generator.integers(0, 10**15, rows)
    return pa.table(
        {
            "number": pa.array(number, mask=hidden),
            "other": pa.array(number * 2 + generator.normal(size=rows), mask=generator.random(rows) < 0.1),
            "colour": pa.array(np.array(["red", "green", "blue"])[generator.integers(0, 3, rows)], mask=hidden[::-1]),
            "when": pa.array(times, pa.int64(), mask=hidden).cast(pa.timestamp("us")),
            "words": [" ".join(WORDS[generator.integers(0, 5, 4)]) for _ in range(rows)],
        }
    )


def a_target(rows: int = 120, classes: int = 2, seed: int = 1) -> np.ndarray:
    """Class codes, or values where `classes` is 0."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes, rows) if classes else generator.normal(size=rows)


def awkward() -> dict[str, tuple[pa.Table, dict[str, str]]]:
    """Tables that break what assumes too much, by what is wrong with them."""
    nulls = pa.table({
        "n": pa.nulls(6, pa.float64()), "c": pa.nulls(6, pa.string()), "d": pa.nulls(6, pa.timestamp("us")),
        "t": pa.nulls(6, pa.string()),
    })  # fmt: skip
    roles = {"n": "numeric", "c": "categorical", "d": "datetime", "t": "text"}
    many = [f"v{i:05d}" for i in range(10_500)]
    return {
        "all missing": (nulls, roles),
        "one row": (a_table(1), ROLES),
        "infinite": (pa.table({"n": [float("inf"), 1.0, float("-inf"), 1e300, None, 2.0]}), {"n": "numeric"}),
        "empty texts": (pa.table({"c": ["", "a", None, ""], "t": ["", " ", None, "\x00"]}),
                        {"c": "categorical", "t": "text"}),
        "ten thousand categories": (pa.table({"c": many}), {"c": "categorical"}),
        "constant": (pa.table({"n": [5.0] * 4, "c": ["x"] * 4, "t": ["same"] * 4}),
                     {"n": "numeric", "c": "categorical", "t": "text"}),
        "a type that is only null": (pa.table({"c": pa.nulls(3), "n": pa.nulls(3, pa.float64())}),
                                     {"c": "categorical", "n": "numeric"}),
    }  # fmt: skip
