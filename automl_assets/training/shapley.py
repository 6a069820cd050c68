"""Shapley values of any model by sampling (Štrumbelj & Kononenko 2014): a column at a time, in random orders.

From a background row to the explained one the columns change over one by one, in an order and in its reverse
(Mitchell et al. 2022); what the prediction does at a column's turn is a sample of its contribution. The steps of one
way add up to the whole difference, so the contributions always add up, and only their shares are uncertain.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FIRST_SAMPLES = 8
LEAST_SAMPLES = 2
MOST_ROWS_A_CALL = 8_192
MOST_CELLS_A_CALL = 1_000_000
CALL_SHARE = 0.25
LONGEST_CALL_SECONDS = 2.0

Predict = Callable[["pa.Table"], "np.ndarray"]


@dataclass(frozen=True)
class Sampled:
    """One row's contributions in the columns' order, on how many background rows, and those rows' mean output.

    errors: the contributions' standard errors, those rows being a sample of all that they could have been; NaN of one.
    """

    contributions: "np.ndarray"
    errors: "np.ndarray"
    base: float
    output: float
    samples: int


class _Sums:
    """What each row's samples add up to: contributions, their squares, and the background rows' outputs."""

    def __init__(self, rows: int, columns: int):
        import numpy as np

        self.samples = np.zeros(rows, dtype=int)
        self.bases = np.zeros(rows)
        self._moved, self._squares = np.zeros((2, rows, columns))

    def add(self, row: "np.ndarray", moved: "np.ndarray", bases: "np.ndarray") -> None:
        """Samples of rows, which may be the same row several times."""
        import numpy as np

        np.add.at(self.samples, row, 1)
        np.add.at(self.bases, row, bases)
        np.add.at(self._moved, row, moved)
        np.add.at(self._squares, row, np.square(moved))

    def of(self, row: int, output: float) -> Sampled:
        """The means of a row's samples."""
        import numpy as np

        n = int(self.samples[row])
        mean = self._moved[row] / n
        variance = np.maximum(self._squares[row] / n - np.square(mean), 0.0)
        errors = np.sqrt(variance / (n - 1)) if n > 1 else np.full_like(mean, np.nan)
        return Sampled(mean, errors, float(self.bases[row] / n), output, n)


def sample_contributions(
    predict: Predict,
    rows: "pa.Table",
    background: "pa.Table",
    outputs: "np.ndarray",
    said: "np.ndarray",
    *,
    stop_at: float,
    seed: int,
) -> list[Sampled]:
    """The rows' contributions, in order; the last ones are missing where the time did not suffice for two samples.

    Each row is given eight background rows first, then all rows one more at a time, until the background is used up.
    The clock is looked at after each call of `predict`, and a call is no longer than one background row of one row
    needs (twice as many predictions as there are columns), or than a quarter of the time left.

    Args:
        predict: from a clean table to (rows, outputs).
        rows: clean rows to explain.
        background: clean rows with the same columns and types.
        outputs: which output to explain, for each row.
        said: that output of each row.
        stop_at: on the monotonic clock.
    """
    import numpy as np
    import pyarrow as pa

    count, columns = rows.num_rows, rows.num_columns
    both, sums = pa.concat_tables([rows, background]), _Sums(count, columns)
    jobs = _jobs(count, background.num_rows, columns, seed)
    size, most = 1, _jobs_a_call(columns)
    while some := list(islice(jobs, size)):
        begun = time.monotonic()
        if begun >= stop_at:
            break
        row = np.array([job[0] for job in some])
        steps = _steps(predict, both, count, some, outputs)
        steps[:, :, -1] = said[row][:, None]
        orders = np.array([[order, order[::-1]] for _, _, order in some])
        moved = np.empty_like(steps[:, :, 1:])
        np.put_along_axis(moved, orders, np.diff(steps, axis=2), axis=2)
        sums.add(row, moved.mean(axis=1), steps[:, 0, 0])
        size = _next_size(len(some), time.monotonic() - begun, stop_at - time.monotonic(), most)
    enough = min(LEAST_SAMPLES, background.num_rows)
    return [sums.of(i, float(said[i])) for i in range(count) if sums.samples[i] >= enough]


Job = tuple[int, int, "np.ndarray"]  # the row, the background row, an order of the columns


def _jobs(rows: int, background: int, columns: int, seed: int) -> Iterator[Job]:
    """Eight background rows for each row, in order; then one more for every row, again and again."""
    import numpy as np

    generator = np.random.default_rng(seed)
    others = generator.permutation(background)
    first = [(row, other) for row in range(rows) for other in others[:FIRST_SAMPLES]]
    later = [(row, other) for other in others[FIRST_SAMPLES:] for row in range(rows)]
    for row, other in first + later:
        yield row, int(other), generator.permutation(columns)


def _jobs_a_call(columns: int) -> int:
    rows = min(MOST_ROWS_A_CALL, MOST_CELLS_A_CALL // max(1, columns))
    return max(1, rows // (2 * columns - 1))


def _next_size(done: int, seconds: float, left: float, most: int) -> int:
    """How many jobs the next call takes: a quarter of the time that is left, and at most two seconds."""
    rate = done / max(seconds, 1e-6)
    return max(1, min(most, 8 * done, int(rate * min(LONGEST_CALL_SECONDS, CALL_SHARE * left))))


def _steps(predict: Predict, both: "pa.Table", rows: int, jobs: Sequence[Job], outputs: "np.ndarray") -> "np.ndarray":
    """The output along each way, shape (jobs, 2, columns + 1); the end of it is left for the caller to fill in."""
    import numpy as np
    import pyarrow as pa

    columns = both.num_columns
    turns = np.empty((len(jobs), 2, columns), dtype=int)
    for i, (_, _, order) in enumerate(jobs):
        turns[i, 0, order] = np.arange(columns)
        turns[i, 1, order] = np.arange(columns)[::-1]
    row = np.array([job[0] for job in jobs])
    other = rows + np.array([job[1] for job in jobs])
    after = np.arange(1, columns)
    mixed = {}
    for position, name in enumerate(both.column_names):
        changed = turns[:, :, position, None] < after
        ways = np.where(changed, row[:, None, None], other[:, None, None]).reshape(len(jobs), -1)
        mixed[name] = both.column(position).take(pa.array(np.column_stack([other, ways]).reshape(-1)))
    predicted = predict(pa.table(mixed)).reshape(len(jobs), 2 * columns - 1, -1)
    told = np.take_along_axis(predicted, outputs[row][:, None, None], axis=2)[..., 0]
    steps = np.zeros((len(jobs), 2, columns + 1))
    steps[:, :, 0] = told[:, :1]
    steps[:, :, 1:-1] = told[:, 1:].reshape(len(jobs), 2, columns - 1)
    return steps
