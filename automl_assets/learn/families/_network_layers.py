"""The parts of the tabular network: its inputs, its initial weights, and its forward pass."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np

MISSING = -1e39
LARGEST = 3e38
MOST_ONE_HOT = 8
MOST_WAVING = 100
HEAVY_TAIL = 5.0
SMOOTH_CLIP = 3.0
EMBEDDED = 8
WAVES, WAVE_OUTPUTS = 16, 3
FIRST_GAIN, HEAD_GAIN = 1.4, 0.3
CHUNK_CELLS = 1_000_000
INPUT_ROWS = 65_536


@dataclass(frozen=True)
class Inputs:
    """How a matrix of the `codes` view becomes the network's inputs; every field is an array.

    numeric: positions of the p numeric columns, with `centre` and `factor` of shape (p,), and `heavy`, whether a
    column's tails are compressed. A flag is 1 where the cell at `flag_position` equals `flag_value`: a category, or
    `MISSING`, which stands for NaN. embedded: positions of the columns with an embedding, of `sizes` categories each.
    """

    numeric: "np.ndarray"
    centre: "np.ndarray"
    factor: "np.ndarray"
    heavy: "np.ndarray"
    flag_position: "np.ndarray"
    flag_value: "np.ndarray"
    embedded: "np.ndarray"
    sizes: "np.ndarray"

    @classmethod
    def fit(cls, X: "np.ndarray", categorical: list[int]) -> Self:
        """Learn from training rows of shape (rows, columns), of which `categorical` hold category codes."""
        import numpy as np

        sizes = {c: _categories(X[:, c]) for c in categorical}
        one_hot = [c for c, size in sizes.items() if size <= MOST_ONE_HOT]
        embedded = [c for c, size in sizes.items() if size > MOST_ONE_HOT]
        numeric = [c for c in range(X.shape[1]) if c not in sizes]
        flags = [(c, float(code)) for c in one_hot for code in range(sizes[c])]
        flags += [(c, MISSING) for c in [*numeric, *one_hot] if _partly_missing(X[:, c])]
        scales = np.array([_robust_scale(X[:, c]) for c in numeric]).reshape(-1, 3)
        return cls(
            numeric=np.array(numeric, dtype=np.int64),
            centre=scales[:, 0],
            factor=scales[:, 1],
            heavy=scales[:, 2] > 0,
            flag_position=np.array([c for c, _ in flags], dtype=np.int64),
            flag_value=np.array([value for _, value in flags], dtype=np.float64),
            embedded=np.array(embedded, dtype=np.int64),
            sizes=np.array([sizes[c] for c in embedded], dtype=np.int64),
        )

    def apply(self, X: "np.ndarray") -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        """Scaled numbers of shape (rows, p), flags of shape (rows, f), and rows of the embeddings' table as int64.

        Smooth clipping is RealMLP's (Holzmüller et al. 2024, section 3): beyond three spreads a number adds little. A
        missing number is 0, the median.
        """
        import numpy as np

        starts = range(0, max(len(X), 1), INPUT_ROWS)
        parts = [self._apply(X[start : start + INPUT_ROWS]) for start in starts]
        z, flags, codes = (np.concatenate(part) if len(parts) > 1 else part[0] for part in zip(*parts, strict=True))
        return z, flags, codes

    def _apply(self, X: "np.ndarray") -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        import numpy as np

        X = np.clip(np.asarray(X, dtype=np.float64), -LARGEST, LARGEST)
        scaled = (X[:, self.numeric] - self.centre) * self.factor
        if self.heavy.any():
            scaled = np.where(self.heavy, np.arcsinh(scaled), scaled)
        scaled = np.nan_to_num(scaled / np.sqrt(1 + (scaled / SMOOTH_CLIP) ** 2))
        flagged = X[:, self.flag_position]
        flags = np.where(np.isnan(flagged), MISSING, flagged) == self.flag_value
        codes = X[:, self.embedded]
        codes = np.where(np.isnan(codes), self.sizes + 1, np.clip(codes, 0, self.sizes)).astype(np.int64)
        return scaled.astype(np.float32), flags.astype(np.float32), codes + self.starts

    @property
    def starts(self) -> "np.ndarray":
        """The first row of each embedded column in the table: a row a category, one for unseen, one for missing."""
        import numpy as np

        return np.cumsum(self.sizes + 2) - (self.sizes + 2)

    @property
    def waving(self) -> int:
        """How many numeric columns have periodic embeddings: all, or none where they are very many."""
        return len(self.numeric) if len(self.numeric) <= MOST_WAVING else 0

    @property
    def width(self) -> int:
        """How many numbers reach the first layer a row."""
        numbers = len(self.numeric) + self.waving * WAVE_OUTPUTS
        return numbers + len(self.flag_value) + len(self.sizes) * EMBEDDED

    def arrays(self) -> "dict[str, np.ndarray]":
        """The fields by name."""
        return asdict(self)

    def give_strangers_the_mean(self, table: "np.ndarray", codes: "np.ndarray") -> None:
        """Overwrite, in the embeddings' `table`, the rows that no training row used by the mean over the column's.

        codes: those of the training rows, as `apply` gives them.
        """
        import numpy as np

        for column, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            used = np.bincount(codes[:, column] - start, minlength=size + 2)
            rows = table[start : start + size + 2]
            rows[used == 0] = used @ rows / used.sum()


def _categories(column: "np.ndarray") -> int:
    import numpy as np

    known = column[np.isfinite(column)]
    return int(known.max()) + 1 if len(known) else 0


def _partly_missing(column: "np.ndarray") -> bool:
    import numpy as np

    missing = np.isnan(column)
    return bool(missing.any() and not missing.all())


def _robust_scale(column: "np.ndarray") -> tuple[float, float, bool]:
    """Median, 1 / interquartile range (of the half range if that is 0, else 0), and whether the tails are heavy."""
    import numpy as np

    known = np.clip(column[~np.isnan(column)].astype(np.float64), -LARGEST, LARGEST)
    if not len(known):
        return 0.0, 0.0, False
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = high - low if high > low else (known.max() - known.min()) / 2
    if spread <= 0:
        return float(median), 0.0, False
    tail = np.quantile(np.abs(known - median), 0.99) / spread
    return float(median), float(1 / spread), bool(tail > HEAVY_TAIL)


def initial_weights(
    inputs: Inputs, width: int, depth: int, members: int, frequency: float, bias: "np.ndarray", seed: int
) -> "dict[str, np.ndarray]":
    """Random float32 weights by name; small heads, so that every member begins near `bias`, of shape (outputs,).

    waves (p, 1, 16) and phases, mix (p, 16, 3): periodic embeddings, PBLD of RealMLP. table: category embeddings.
    adapters (members, inputs): random signs, TabM-mini (Gorishniy et al. 2024). layer_i is shared, bias_i a member's.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    normal = generator.standard_normal
    p, d = inputs.waving, inputs.width

    def uniform(*size: int) -> "np.ndarray":
        return generator.uniform(-1, 1, size)

    weights = {
        "waves": normal((p, 1, WAVES)) * frequency * 2 * math.pi,
        "phases": uniform(p, 1, WAVES) * math.pi,
        "mix": uniform(p, WAVES, WAVE_OUTPUTS) / math.sqrt(WAVES),
        "mix_bias": uniform(p, 1, WAVE_OUTPUTS) / math.sqrt(WAVES),
        "table": normal((int((inputs.sizes + 2).sum()), EMBEDDED)) * 0.5,
        "adapters": np.sign(normal((members, 1, d))),
        "layer_0": normal((d, width)) * FIRST_GAIN / math.sqrt(max(d, 1)),
        "bias_0": uniform(members, 1, width) * 0.5,
    }
    for i in range(1, depth):
        weights[f"layer_{i}"] = normal((width, width)) * math.sqrt(2 / width)
        weights[f"bias_{i}"] = np.zeros((members, 1, width))
    weights["heads"] = normal((members, width, len(bias))) * HEAD_GAIN / math.sqrt(width)
    weights["head_bias"] = np.tile(bias, (members, 1, 1))
    return {name: value.astype(np.float32) for name, value in weights.items()}


def numpy_forward(
    w: "dict[str, np.ndarray]", z: "np.ndarray", flags: "np.ndarray", codes: "np.ndarray"
) -> "np.ndarray":
    """Logits or values of shape (members, rows, outputs) from what `Inputs.apply` gives; a chunk of rows at a time."""
    import numpy as np

    members, _, d = w["adapters"].shape
    rows = max(1, CHUNK_CELLS // (members * max(d, w["heads"].shape[1], 1)))
    starts = range(0, max(len(z), 1), rows)
    parts = [_numpy_chunk(w, *(part[start : start + rows] for part in (z, flags, codes))) for start in starts]
    return np.concatenate(parts, axis=1)


def _numpy_chunk(w: "dict[str, np.ndarray]", z: "np.ndarray", flags: "np.ndarray", codes: "np.ndarray") -> "np.ndarray":
    import numpy as np

    rows = len(z)
    parts = [z, flags]
    if len(w["waves"]):
        mixed = np.cos(z.T[:, :, None] * w["waves"] + w["phases"]) @ w["mix"] + w["mix_bias"]
        parts.append(mixed.transpose(1, 0, 2).reshape(rows, len(mixed) * WAVE_OUTPUTS))
    if codes.shape[1]:
        parts.append(w["table"][codes].reshape(rows, codes.shape[1] * EMBEDDED))
    hidden = np.concatenate(parts, axis=1) * w["adapters"]
    for i in range(depth_of(w)):
        flat = hidden.reshape(len(hidden) * rows, hidden.shape[2]) @ w[f"layer_{i}"]
        hidden = np.maximum(flat.reshape(len(hidden), rows, flat.shape[1]) + w[f"bias_{i}"], 0)
    return hidden @ w["heads"] + w["head_bias"]


def depth_of(weights: Mapping[str, object]) -> int:
    """How many layers there are."""
    return sum(name.startswith("layer_") for name in weights)
