"""A model's explanation from its members' own parts: through the link function, the weights and the calibration.

The parts of a margin become parts of a probability by the function's average slope between the base and the whole
(integrated gradients, Sundararajan, Taly & Yan 2017; along a chain of models as in Chen, Lundberg & Lee 2022), so that
they still add up to what the model says. A number's margin is the number, and its parts are used as they are.

A stack layer's parts are of other members' predictions, not of raw columns. Sharing those out by what moved each member
would explain the base members and not the layer, so a model with such a member is sampled as a whole.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_assets.training.calibration import Calibration, softmax
from automl_assets.training.model import FoldModel, Model
from automl_assets.tuning.fold_fit import unweighted

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

NODES = 24
ROWS_AT_ONCE = 32
CALL_SHARE = 0.5
TOLERANCE = 1e-4
LEAST_PROBABILITY = 1e-12

Through = Callable[["np.ndarray"], "np.ndarray"]
Slopes = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


class Parts(NamedTuple):
    """One row's contributions in the columns' order, and their standard errors: 0 where nothing was sampled."""

    parts: "np.ndarray"
    errors: "np.ndarray"
    base: float
    output: float
    samples: int
    explained: int


def exact_parts(
    model: Model, clean: "pa.Table", background: "pa.Table", stop_at: float, threads: int
) -> list[Parts] | None:
    """None where a member can't split what it says, or where the parts don't add up to what the model says.

    The first row is always explained; after it, as many at once as half of the time that is left should suffice for.
    """
    import numpy as np

    families = {type(fold.estimator) for weight, folds in model.members for fold in folds if weight}
    if any(family.stacks or not family.can_contribute() for family in families):
        return None
    found: list[Parts] = []
    size = 1
    while len(found) < clean.num_rows and (not found or time.monotonic() < stop_at):
        begun, piece = time.monotonic(), clean.slice(len(found), size)
        split = _split(model, piece, background, threads)
        if split is None:
            return None
        parts, base = split
        said = two_dimensional(model.predict_clean(piece, threads=threads))
        if np.abs(base + parts.sum(axis=1) - said).max() > TOLERANCE * max(1.0, float(np.abs(said).max())):
            return None
        found += [
            Parts(parts[i, :, k], np.zeros(parts.shape[1]), float(base[i, k]), float(said[i, k]), 0, k)
            for i, k in enumerate(explained_outputs(model, said))
        ]
        rate = piece.num_rows / max(time.monotonic() - begun, 1e-6)
        size = max(1, min(ROWS_AT_ONCE, 2 * size, int(CALL_SHARE * rate * (stop_at - time.monotonic()))))
    return found


def _split(
    model: Model, clean: "pa.Table", background: "pa.Table", threads: int
) -> "tuple[np.ndarray, np.ndarray] | None":
    """The outputs' parts, shape (rows, columns, outputs), and their base, shape (rows, outputs)."""
    import numpy as np

    card, names = model.card, clean.column_names
    encoded, behind = model.encoded(clean), model.encoded(background)
    parts, base = np.zeros(1), np.zeros(1)
    for weight, folds in ((weight, folds) for weight, folds in model.members if weight):
        of_folds: list[tuple[np.ndarray, np.ndarray]] = []
        for fold in folds:
            key = id(fold.encoder)
            split = _split_fold(fold, encoded[key], behind[key], names, bool(card.classes), threads)
            if split is None:
                return None
            of_folds.append(split)
        of_member, of_base = (np.mean(one, axis=0) for one in zip(*of_folds, strict=True))
        own_parts, own_base = _unweighted(of_member, of_base, card.class_weights)
        parts, base = parts + weight * own_parts, base + weight * own_base
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

    return pushed(parts, base, apply, calibrated_slopes(calibration))


def _split_fold(
    fold: FoldModel, X: "np.ndarray", background: "np.ndarray", names: Sequence[str], classes: bool, threads: int
) -> "tuple[np.ndarray, np.ndarray] | None":
    """A fold's outputs' parts by raw column: what its encoder made of one column is added up."""
    import numpy as np

    place = {name: position for position, name in enumerate(names)}
    if not place.keys() >= set(fold.encoder.sources):  # a pair, a cross or a transformer's: of several columns at once
        return None
    found = fold.estimator.contributions(X, background, threads=threads)
    if found is None:
        return None
    parts = np.zeros((len(X), len(names), found.parts.shape[2]))
    for feature, source in enumerate(fold.encoder.sources):
        parts[:, place[source]] += found.parts[:, feature]
    return as_probabilities(parts, found.base) if classes and found.units == "margin" else (parts, found.base)


def _unweighted(
    parts: "np.ndarray", base: "np.ndarray", class_weights: tuple[float, ...]
) -> "tuple[np.ndarray, np.ndarray]":
    """Parts of a member's probabilities as parts of them without its class weights."""

    def through(points: "np.ndarray") -> "np.ndarray":
        return unweighted(points, class_weights)

    return pushed(parts, base, through, unweighted_slopes(class_weights)) if class_weights else (parts, base)


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


def softmax_slopes(probabilities: "np.ndarray") -> "np.ndarray":
    """By how much each probability rises with each logit, shape (…, logits, probabilities)."""
    import numpy as np

    eye = np.eye(probabilities.shape[-1])
    return probabilities[..., None, :] * (eye - probabilities[..., :, None])


def unweighted_slopes(class_weights: Sequence[float]) -> Slopes:
    """The slopes of probabilities whose class weights are divided out (see `unweighted`)."""
    import numpy as np

    weights = np.asarray(class_weights)

    def slopes(inputs: "np.ndarray", outputs: "np.ndarray") -> "np.ndarray":
        scale = weights * (inputs / weights).sum(axis=-1, keepdims=True)
        return (np.eye(len(weights)) - outputs[..., None, :]) / scale[..., :, None]

    return slopes


def calibrated_slopes(calibration: Calibration) -> Slopes:
    """The slopes of a calibration: softmax over some slope times the logarithms of its inputs, whatever is added."""
    import numpy as np

    def slopes(inputs: "np.ndarray", outputs: "np.ndarray") -> "np.ndarray":
        steepness = calibration.slope_at(inputs)[..., None, None]
        return steepness * softmax_slopes(outputs) / np.clip(inputs, LEAST_PROBABILITY, None)[..., :, None]

    return slopes
