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

LEAST_SAMPLES = 8
MOST_ROWS_A_CALL = 8_192
MOST_CELLS_A_CALL = 1_000_000
CALL_SHARE = 0.25
LONGEST_CALL_SECONDS = 2.0

Predict = Callable[["pa.Table"], "np.ndarray"]


@dataclass(frozen=True)
class Sampled:
    """One row's contributions in the columns' order, on how many background rows, and those rows' mean output."""

    contributions: "np.ndarray"
    base: float
    output: float
    samples: int


def sample_contributions(
    predict: Predict,
    rows: "pa.Table",
    background: "pa.Table",
    outputs: "np.ndarray",
    *,
    stop_at: float,
    seed: int,
) -> list[Sampled]:
    """The rows' contributions, in order; the last ones are missing where the time did not suffice.

    Each row is given eight background rows first, then all rows one more at a time, until the background is used up.

    Args:
        predict: from a clean table to (rows, outputs).
        rows: clean rows to explain.
        background: clean rows with the same columns and types.
        outputs: which output to explain, for each row.
        stop_at: on the monotonic clock.
    """
    import numpy as np
    import pyarrow as pa

    count, columns = rows.num_rows, rows.num_columns
    both = pa.concat_tables([rows, background])
    whole = predict(both)
    at_row = whole[np.arange(count), outputs]
    at_background = whole[count:, outputs].T
    sums, bases, used = np.zeros((count, columns)), np.zeros(count), np.zeros(count, dtype=int)
    jobs = _jobs(count, background.num_rows, columns, seed)
    size, most = 1, _jobs_a_call(columns)
    while some := list(islice(jobs, size)):
        begun = time.monotonic()
        if begun >= stop_at:
            break
        row, other = np.array([job[:2] for job in some]).T
        steps = _steps(predict, both, count, some, outputs)
        steps[:, :, 0], steps[:, :, -1] = at_background[row, other][:, None], at_row[row][:, None]
        orders = np.array([[order, order[::-1]] for _, _, order in some])
        moved = np.empty_like(steps[:, :, 1:])
        np.put_along_axis(moved, orders, np.diff(steps, axis=2), axis=2)
        np.add.at(sums, row, moved.mean(axis=1))
        np.add.at(bases, row, at_background[row, other])
        np.add.at(used, row, 1)
        size = _next_size(len(some), time.monotonic() - begun, stop_at - time.monotonic(), most)
    enough = min(LEAST_SAMPLES, background.num_rows)
    return [
        Sampled(sums[i] / used[i], float(bases[i] / used[i]), float(at_row[i]), int(used[i]))
        for i in range(count)
        if used[i] >= enough
    ]


Job = tuple[int, int, "np.ndarray"]  # the row, the background row, an order of the columns


def _jobs(rows: int, background: int, columns: int, seed: int) -> Iterator[Job]:
    """Eight background rows for each row, in order; then one more for every row, again and again."""
    import numpy as np

    generator = np.random.default_rng(seed)
    others = generator.permutation(background)
    first = [(row, other) for row in range(rows) for other in others[:LEAST_SAMPLES]]
    later = [(row, other) for other in others[LEAST_SAMPLES:] for row in range(rows)]
    for row, other in first + later:
        yield row, int(other), generator.permutation(columns)


def _jobs_a_call(columns: int) -> int:
    rows = min(MOST_ROWS_A_CALL, MOST_CELLS_A_CALL // max(1, columns))
    return max(1, rows // max(1, 2 * (columns - 1)))


def _next_size(done: int, seconds: float, left: float, most: int) -> int:
    """How many jobs the next call takes: a quarter of the time that is left, and at most two seconds."""
    rate = done / max(seconds, 1e-6)
    return max(1, min(most, 8 * done, int(rate * min(LONGEST_CALL_SECONDS, CALL_SHARE * left))))


def _steps(predict: Predict, both: "pa.Table", rows: int, jobs: Sequence[Job], outputs: "np.ndarray") -> "np.ndarray":
    """The output along each way, shape (jobs, 2, columns + 1); both ends are left for the caller to fill in."""
    import numpy as np
    import pyarrow as pa

    columns = both.num_columns
    steps = np.zeros((len(jobs), 2, columns + 1))
    if columns < 2:
        return steps
    turns = np.empty((len(jobs), 2, columns), dtype=int)
    for i, (_, _, order) in enumerate(jobs):
        turns[i, 0, order] = np.arange(columns)
        turns[i, 1, order] = np.arange(columns)[::-1]
    row = np.array([job[0] for job in jobs])[:, None, None]
    other = rows + np.array([job[1] for job in jobs])[:, None, None]
    after = np.arange(1, columns)
    mixed = {
        name: both.column(position).take(
            pa.array(np.where(turns[:, :, position, None] < after, row, other).reshape(-1))
        )
        for position, name in enumerate(both.column_names)
    }
    predicted = predict(pa.table(mixed)).reshape(len(jobs), 2, columns - 1, -1)
    chosen = outputs[row[:, 0, 0]][:, None, None, None]
    steps[:, :, 1:-1] = np.take_along_axis(predicted, np.broadcast_to(chosen, (*predicted.shape[:3], 1)), axis=3)[
        ..., 0
    ]
    return steps
