"""The tabular network's training on a processor: the gradient by hand, in float32, without a library to import."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from automl_assets.learn.families._base import Params
from automl_assets.learn.families._network_layers import EMBEDDED, WAVE_OUTPUTS, depth_of, numpy_forward
from automl_assets.learn.families._network_training import MOST_BATCH, AdamW, Rows, flattened, views

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

LEAST_MASK = 1 << 20
LEAST_LOGIT = -60.0


class NumpyTrainer:
    """Weights as views of one float32 vector, and a vector of their gradient."""

    def __init__(self, params: Params, weights: "Arrays", rows: Rows, valid: Rows, seed: int):
        import numpy as np

        shapes = {name: value.shape for name, value in weights.items()}
        self._flat, self._rows, self._valid = flattened(weights), rows, valid
        self._gradient = np.zeros_like(self._flat)
        self._weights, self._gradients = views(self._flat, shapes), views(self._gradient, shapes)
        self._adam = AdamW(self._flat, shapes, params["weight_decay"], np.asarray)
        self._generator = np.random.default_rng([seed, 1])
        largest = min(len(rows.y), MOST_BATCH) * weights["heads"].shape[0] * params["width"]
        self._mask = _mask(params["dropout"], max(LEAST_MASK, 2 * largest), self._generator)

    def step(self, index: "np.ndarray", rate: float) -> None:
        """One step of AdamW down the members' mean loss: each learns by itself, as TabM's do."""
        rows = self._rows
        at = Rows(rows.z[index], rows.flags[index], rows.codes[index], rows.y[index], rows.weight[index])
        gradient(self._weights, at, self._gradients, self._drop)
        self._adam.step(self._flat, self._gradient, rate)

    def _drop(self, hidden: "np.ndarray") -> "np.ndarray":
        """What each hidden value is multiplied by: 0 where it was negative, and by chance; changes `hidden`.

        The chance is a slice, at a random place, of one mask: drawing each mask afresh took a third of the training.
        """
        import numpy as np

        if self._mask is None:
            kept = (hidden > 0).astype(np.float32)
        else:
            start = int(self._generator.integers(len(self._mask) - hidden.size + 1))
            kept = self._mask[start : start + hidden.size].reshape(hidden.shape) * (hidden > 0)
        hidden *= kept
        return kept

    def loss(self) -> float:
        """The loss of the members' mean prediction: squared error or log loss."""
        import numpy as np

        rows = self._valid
        raw = numpy_forward(self._weights, rows.z, rows.flags, rows.codes)
        if raw.shape[2] == 1:
            losses = (raw[:, :, 0].mean(axis=0) - rows.y) ** 2
        else:
            of_class = _softmax(raw).mean(axis=0)[np.arange(len(rows.y)), rows.y]
            losses = -np.log(np.maximum(of_class, 1e-12))
        return float(np.mean(rows.weight * losses, dtype=np.float64))

    def weights(self) -> "Arrays":
        """A copy of the weights."""
        return {name: value.copy() for name, value in self._weights.items()}


def gradient(w: "Arrays", rows: Rows, into: "Arrays", drop: "Callable[[np.ndarray], np.ndarray]") -> None:
    """Write the gradient of the members' mean loss into arrays of the weights' shapes.

    Args:
        drop: called with each layer's values of shape (members, rows, width), which it changes into its outputs; gives
            what they were multiplied by.
    """
    import numpy as np

    members, n = len(w["heads"]), len(rows.y)
    waves, slopes = _waves(w, rows.z)
    base = _inputs(w, rows, waves)
    hidden, kept = [base * w["adapters"]], list[np.ndarray]()
    for i in range(depth_of(w)):
        raw = hidden[-1].reshape(members * n, -1) @ w[f"layer_{i}"]
        values = raw.reshape(members, n, -1)
        values += w[f"bias_{i}"]
        kept.append(drop(values))
        hidden.append(values)
    error = _error(hidden[-1] @ w["heads"] + w["head_bias"], rows)
    error.sum(axis=1, keepdims=True, out=into["head_bias"])
    np.matmul(hidden[-1].transpose(0, 2, 1), error, out=into["heads"])
    back = error @ w["heads"].transpose(0, 2, 1)
    for i in reversed(range(depth_of(w))):
        back *= kept[i]
        back.sum(axis=1, keepdims=True, out=into[f"bias_{i}"])
        flat = back.reshape(members * n, -1)
        np.matmul(hidden[i].reshape(members * n, -1).T, flat, out=into[f"layer_{i}"])
        back = (flat @ w[f"layer_{i}"].T).reshape(members, n, -1)
    np.einsum("mbd,bd->md", back, base, out=into["adapters"][:, 0])
    back *= w["adapters"]
    _inputs_gradient(w, rows, waves, slopes, back.sum(axis=0), into)


def _waves(w: "Arrays", z: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """The cosines of shape (p, rows, 16), and their derivatives."""
    import numpy as np

    angles = z[:, : len(w["waves"])].T[:, :, None] * w["waves"]
    angles += w["phases"]
    return np.cos(angles), -np.sin(angles, out=angles)


def _inputs(w: "Arrays", rows: Rows, waves: "np.ndarray") -> "np.ndarray":
    """What reaches the adapters, of shape (rows, inputs)."""
    import numpy as np

    n, parts = len(rows.y), [rows.z, rows.flags]
    if len(waves):
        mixed = waves @ w["mix"] + w["mix_bias"]
        parts.append(mixed.transpose(1, 0, 2).reshape(n, len(mixed) * WAVE_OUTPUTS))
    if rows.codes.shape[1]:
        parts.append(w["table"][rows.codes].reshape(n, rows.codes.shape[1] * EMBEDDED))
    return np.concatenate(parts, axis=1)


def _inputs_gradient(
    w: "Arrays", rows: Rows, waves: "np.ndarray", slopes: "np.ndarray", back: "np.ndarray", into: "Arrays"
) -> None:
    """The gradients of the embeddings, of numbers and of categories, from that of `_inputs`."""
    import numpy as np

    n, p, start = len(rows.y), len(waves), rows.z.shape[1] + rows.flags.shape[1]
    end = start + p * WAVE_OUTPUTS
    if p:
        mixed = np.ascontiguousarray(back[:, start:end].reshape(n, p, WAVE_OUTPUTS).transpose(1, 0, 2))
        mixed.sum(axis=1, keepdims=True, out=into["mix_bias"])
        np.matmul(waves.transpose(0, 2, 1), mixed, out=into["mix"])
        slopes *= mixed @ w["mix"].transpose(0, 2, 1)
        slopes.sum(axis=1, keepdims=True, out=into["phases"])
        np.matmul(rows.z.T[:, None, :], slopes, out=into["waves"])
    if rows.codes.shape[1]:
        of_table, codes = back[:, end:].reshape(-1, EMBEDDED), rows.codes.ravel()
        for j in range(EMBEDDED):
            into["table"][:, j] = np.bincount(codes, weights=of_table[:, j], minlength=len(w["table"]))


def _error(raw: "np.ndarray", rows: Rows) -> "np.ndarray":
    """The derivative of the members' mean loss by their logits or values."""
    import numpy as np

    share = rows.weight / np.float32(len(raw) * len(rows.y))
    if raw.shape[2] == 1:
        return 2 * share[:, None] * (raw - rows.y[:, None])
    raw = _softmax(raw)
    raw[:, np.arange(len(rows.y)), rows.y] -= 1
    raw *= share[:, None]
    return raw


def _softmax(raw: "np.ndarray") -> "np.ndarray":
    import numpy as np

    raw = np.exp(np.maximum(raw - raw.max(axis=2, keepdims=True), LEAST_LOGIT))
    return raw / raw.sum(axis=2, keepdims=True)


def _mask(rate: float, length: int, generator: "np.random.Generator") -> "np.ndarray | None":
    """Zeros, a share of `rate`, among numbers that keep the mean at 1; None where nothing is dropped."""
    import numpy as np

    if not rate:
        return None
    return (generator.random(length, dtype=np.float32) >= rate).astype(np.float32) / np.float32(1 - rate)
