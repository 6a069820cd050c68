"""A model's explanation from its members' own parts: through the link function, the weights and the calibration.

The parts of a margin become parts of a probability by the function's average slope between the base and the whole
(integrated gradients, Sundararajan, Taly & Yan 2017; along a chain of models as in Chen, Lundberg & Lee 2022), so that
they still add up to what the model says. A number's margin is the number, and its parts are used as they are.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_assets.training.contributions import can_contribute, margin_parts
from automl_assets.training.model import FoldModel, Model

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

NODES = 24
ROWS_AT_ONCE = 32
TOLERANCE = 1e-4
LEAST_PROBABILITY = 1e-12

Through = Callable[["np.ndarray"], "np.ndarray"]
Slopes = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


class Parts(NamedTuple):
    """One row's contributions in the columns' order."""

    parts: "np.ndarray"
    base: float
    output: float
    samples: int
    explained: int


def exact_parts(
    model: Model, clean: "pa.Table", background: "pa.Table", stop_at: float, threads: int
) -> list[Parts] | None:
    """None where a member can't split its margins, or where the parts don't add up to what the model says."""
    import numpy as np

    if not all(can_contribute(fold.estimator) for _, folds in model.members for fold in folds):
        return None
    found: list[Parts] = []
    size = 1
    while len(found) < clean.num_rows and (not found or time.monotonic() < stop_at):
        piece = clean.slice(len(found), size)
        split = _split(model, piece, background, threads)
        if split is None:
            return None
        parts, base = split
        said = two_dimensional(model.predict_clean(piece, threads=threads))
        if np.abs(base + parts.sum(axis=1) - said).max() > TOLERANCE * max(1.0, float(np.abs(said).max())):
            return None
        found += [
            Parts(parts[i, :, k], float(base[i, k]), float(said[i, k]), 0, k)
            for i, k in enumerate(explained_outputs(model, said))
        ]
        size = min(ROWS_AT_ONCE, 2 * size)
    return found


def _split(
    model: Model, clean: "pa.Table", background: "pa.Table", threads: int
) -> "tuple[np.ndarray, np.ndarray] | None":
    """The outputs' parts, shape (rows, columns, outputs), and their base, shape (rows, outputs)."""
    import numpy as np

    card = model.card
    parts, base = np.zeros(1), np.zeros(1)
    encoded, behind = model.encoded(clean), model.encoded(background)
    for weight, folds in model.members:
        for fold in folds:
            split = _split_fold(
                fold,
                encoded[id(fold.encoder)],
                behind[id(fold.encoder)],
                clean.column_names,
                bool(card.classes),
                threads,
            )
            if split is None or split[0].shape[2] != max(1, len(card.classes)):  # a fold that lacked a class
                return None
            parts, base = parts + weight / len(folds) * split[0], base + weight / len(folds) * split[1]
    if not card.classes:
        return parts, base
    if card.prior:
        parts = (1 - card.prior_share) * parts
        base = (1 - card.prior_share) * base + card.prior_share * np.asarray(card.prior)
    calibration = card.calibration
    if calibration.method == "none":
        return parts, base

    def apply(points: "np.ndarray") -> "np.ndarray":
        return calibration.apply(points)

    return pushed(parts, base, apply, calibrated_slopes(calibration.slope))


def _split_fold(
    fold: FoldModel, X: "np.ndarray", background: "np.ndarray", names: Sequence[str], classes: bool, threads: int
) -> "tuple[np.ndarray, np.ndarray] | None":
    """A fold's outputs' parts by raw column: what its encoder made of one column is added up."""
    import numpy as np

    margins = margin_parts(fold.estimator, X, background, threads=threads)
    if margins is None:
        return None
    place = {name: position for position, name in enumerate(names)}
    parts = np.zeros((len(margins), len(names), margins.shape[2]))
    for feature, source in enumerate(fold.encoder.sources):
        parts[:, place[source]] += margins[:, feature]
    base = margins[:, -1]
    return as_probabilities(parts, base) if classes else (parts, base)


def two_dimensional(predicted: "np.ndarray") -> "np.ndarray":
    """Values as one column."""
    return predicted if predicted.ndim == 2 else predicted[:, None]


def explained_outputs(model: Model, said: "np.ndarray") -> "np.ndarray":
    """Which output of each row is explained: the positive class of two, the predicted one of several."""
    import numpy as np

    if len(model.card.classes) > 2:
        return said.argmax(axis=1)
    return np.full(len(said), said.shape[1] - 1)


def pushed(
    parts: "np.ndarray", base: "np.ndarray", through: Through, slopes: Slopes
) -> "tuple[np.ndarray, np.ndarray]":
    """Parts of a function's inputs as parts of its outputs, which add up to what the function gives.

    Each input's part counts with the function's slope averaged on the straight way from the base to the whole; what
    the average over 24 places leaves is shared by size.

    Args:
        parts: shape (rows, columns, inputs).
        base: shape (rows, inputs).
        through: from (…, inputs) to (…, outputs).
        slopes: from the inputs and the outputs to (…, inputs, outputs).

    Returns:
        Parts of shape (rows, columns, outputs), and their base of shape (rows, outputs).
    """
    import numpy as np

    places, weights = np.polynomial.legendre.leggauss(NODES)
    way = parts.sum(axis=1)
    slope: Any = 0.0
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        point = base + place * way
        slope = slope + weight * slopes(point, through(point))
    found = np.einsum("rci,rio->rco", parts, slope)
    start = through(base)
    left = through(base + way) - start - found.sum(axis=1)
    sizes = np.abs(found)
    total = sizes.sum(axis=1, keepdims=True)
    even = np.full_like(sizes, 1 / max(1, sizes.shape[1]))
    shares = np.divide(sizes, total, out=even, where=total > 0)
    return found + shares * left[:, None, :], start


def as_probabilities(parts: "np.ndarray", base: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """Parts of logits, or of one log-odds, as parts of each class's probability."""
    import numpy as np

    if parts.shape[2] == 1:
        parts = np.concatenate([np.zeros_like(parts), parts], axis=2)
        base = np.concatenate([np.zeros_like(base), base], axis=1)
    return pushed(parts, base, softmax, lambda _, p: softmax_slopes(p))


def softmax(logits: "np.ndarray") -> "np.ndarray":
    """Probabilities over the last axis."""
    import numpy as np

    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def softmax_slopes(probabilities: "np.ndarray") -> "np.ndarray":
    """By how much each probability rises with each logit, shape (…, logits, probabilities)."""
    import numpy as np

    eye = np.eye(probabilities.shape[-1])
    return probabilities[..., None, :] * (eye - probabilities[..., :, None])


def calibrated_slopes(slope: float) -> Slopes:
    """The slopes of a calibration: softmax over `slope` times the logarithms of its inputs, whatever its intercept."""
    import numpy as np

    def slopes(inputs: "np.ndarray", outputs: "np.ndarray") -> "np.ndarray":
        return slope * softmax_slopes(outputs) / np.clip(inputs, LEAST_PROBABILITY, None)[..., :, None]

    return slopes
