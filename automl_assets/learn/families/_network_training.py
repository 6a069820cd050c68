"""How the tabular network is trained: its target, its rows, its pace, its optimiser, and the loop over epochs."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol, Self

from automl_assets.learn.families._base import FitData, FitLimits, Params, all_classes
from automl_assets.learn.families._network_layers import Inputs, initial_weights

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]
    Shapes = dict[str, tuple[int, ...]]

MEMBERS, MOST_BATCH = 8, 256
MOST_EPOCHS, FEWEST_EPOCHS, ROWS_VISITED = 30, 8, 600_000
FEWEST_STEPS, STEPS_REGARDLESS_OF_TIME = 200, 30
STEPS_UNTIMED, STEPS_TIMED = 5, 51
PATIENCE = 0.5
WARM_UP = 0.1
BETAS = (0.9, 0.95)
RATES = {"waves": 0.3, "phases": 0.3, "adapters": 2.0}
TIME_KEPT = 0.15
STEPS_UNTIL_TINY, TINY = 100, 1e-30


@dataclass(frozen=True)
class Target:
    """The classes that training rows have among all `classes`, or the mean, spread and range of a number."""

    seen: "np.ndarray"
    classes: int
    mean: float = 0.0
    spread: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def fit(cls, data: FitData, classes: int) -> Self:
        """Learn from the training rows and their weights."""
        import numpy as np

        if classes:
            return cls(np.unique(data.y), classes)
        y, weight = data.y.astype(np.float64), _weights(data.weight, len(data.y))
        mean = float(np.average(y, weights=weight))
        spread = math.sqrt(float(np.average((y - mean) ** 2, weights=weight)))
        return cls(np.empty(0), 0, mean, spread if spread > 0 else 1.0, float(y.min()), float(y.max()))

    def encode(self, y: "np.ndarray") -> "np.ndarray":
        """Positions among the classes that were seen, or standardised values."""
        import numpy as np

        if self.classes:
            return np.searchsorted(self.seen, y).astype(np.int64)
        return ((y - self.mean) / self.spread).astype(np.float32)

    def decode(self, raw: "np.ndarray") -> "np.ndarray":
        """Probabilities or values, the members' mean, of what a forward pass gives: (members, rows, outputs)."""
        import numpy as np

        if not self.classes:
            return np.clip(raw[:, :, 0].mean(axis=0) * self.spread + self.mean, self.low, self.high)
        exponents = np.exp(raw - raw.max(axis=2, keepdims=True))
        probabilities = (exponents / exponents.sum(axis=2, keepdims=True)).mean(axis=0)
        return all_classes(probabilities, self.seen, self.classes)


@dataclass(frozen=True)
class Rows:
    """Rows that a network reads: what `Inputs.apply` gives, labels, float32 weights with a mean of 1."""

    z: "np.ndarray"
    flags: "np.ndarray"
    codes: "np.ndarray"
    y: "np.ndarray"
    weight: "np.ndarray"

    @classmethod
    def of(cls, inputs: Inputs, target: Target, X: "np.ndarray", y: "np.ndarray", weight: "np.ndarray | None") -> Self:
        """Without the rows whose class no training row has."""
        import numpy as np

        known = np.isin(y, target.seen) if target.classes else np.ones(len(y), bool)
        if not known.all():
            X, y, weight = X[known], y[known], None if weight is None else weight[known]
        return cls(*inputs.apply(X), target.encode(y), _weights(weight, len(y)).astype(np.float32))


def _weights(weight: "np.ndarray | None", rows: int) -> "np.ndarray":
    """Weights with a mean of 1; weights that are all 0 count as none."""
    import numpy as np

    if weight is None or not weight.sum() > 0:
        return np.ones(rows)
    return weight / weight.mean(dtype=np.float64)


def plan(rows: int) -> tuple[int, int]:
    """Rows a step, and epochs: fewer where rows are very many, more where they are so few that steps are."""
    batch = min(MOST_BATCH, max(32, rows // 4))
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, ROWS_VISITED // max(1, rows)))
    return batch, max(epochs, math.ceil(FEWEST_STEPS / max(1, rows // batch)))


@dataclass
class Pace:
    """How far the training is, from 0 to 1, so that the learning rate is annealed when its steps or its time end.

    Each step goes as far as is even over the steps left: those planned, or those that the time left is enough for at
    the speed so far. Where time does not bind, the clock has no influence.
    """

    planned: int
    limits: FitLimits
    done: int = 0
    progress: float = 0.0
    hurried: bool = False
    _last: float = 0.0
    _seconds: "deque[float]" = field(default_factory=lambda: deque(maxlen=STEPS_TIMED))

    def step(self) -> None:
        """Note that a step was made."""
        now = time.monotonic()
        self.done += 1
        if self.done > STEPS_UNTIMED:
            self._seconds.append(now - self._last)
        self._last = now
        left = self.planned - self.done + 1
        affordable = self._affordable(now)
        self.hurried = affordable < left
        self.progress += (1 - self.progress) / max(1, min(left, affordable))

    def _affordable(self, now: float) -> int:
        """By the median of the last steps, which a stall of the machine leaves as it is."""
        if len(self._seconds) < STEPS_UNTIMED:
            return self.planned
        in_time = (1 - TIME_KEPT) * (self.limits.stop_at - now) / max(median(self._seconds), 1e-9)
        return max(int(min(in_time, self.planned)), STEPS_REGARDLESS_OF_TIME - self.done)

    def is_over(self) -> bool:
        """Whether no further step should be made."""
        if self.done < min(STEPS_REGARDLESS_OF_TIME, self.planned):
            return False
        return self.done >= self.planned or self.limits.time_is_up()

    def rate(self) -> float:
        """The share of the learning rate: up in the first tenth, then down along a cosine."""
        if self.progress < WARM_UP:
            return 0.02 + self.progress / WARM_UP
        return 0.5 * (1 + math.cos(math.pi * (self.progress - WARM_UP) / (1 - WARM_UP)))


class Trainer(Protocol):
    """What makes the steps of a training, and where."""

    def step(self, index: "np.ndarray", rate: float) -> None:
        """Learn from the training rows at `index`, `rate` being the learning rate now."""
        ...

    def loss(self) -> float:
        """The loss of the members' mean prediction on the rows to stop by: squared error or log loss."""
        ...

    def weights(self) -> "Arrays":
        """A copy of the weights."""
        ...


def train(
    params: Params, inputs: Inputs, target: Target, rows: Rows, valid: Rows, limits: FitLimits
) -> "tuple[Arrays, int, bool]":
    """The weights of the best epoch on the validation rows, the epochs made, and whether time cut them short."""
    import numpy as np

    generator = np.random.default_rng(limits.seed)
    trainer = trainer_for(params, initial(params, inputs, target, rows, limits.seed), rows, valid, limits)
    best, best_loss, best_epoch = trainer.weights(), math.inf, 0
    batch, wanted = plan(len(rows.y))
    batches = max(1, len(rows.y) // batch)
    epochs = limits.most_trees(wanted) if len(target.seen) != 1 else 0
    epoch, pace = 0, Pace(epochs * batches, limits)
    while not pace.is_over():
        order = generator.permutation(len(rows.y))
        for i in range(batches):
            if pace.is_over():
                break
            trainer.step(order[i * batch : (i + 1) * batch], params["learning_rate"] * pace.rate())
            pace.step()
        epoch += 1
        loss = trainer.loss()
        if loss < best_loss:
            best, best_loss, best_epoch = trainer.weights(), loss, epoch
        if not math.isfinite(loss) or epoch - best_epoch > PATIENCE * epochs:
            break
    return best, epoch, pace.hurried or 0 < epochs < wanted


def trainer_for(params: Params, weights: "Arrays", rows: Rows, valid: Rows, limits: FitLimits) -> Trainer:
    """The trainer of a device.

    On a processor numpy: its steps are no slower than torch's, whose import takes two seconds and 180 MiB.
    """
    valid = valid if len(valid.y) else rows
    if limits.device == "cpu":
        from automl_assets.learn.families._network_numpy import NumpyTrainer

        return NumpyTrainer(params, weights, rows, valid, limits.seed)
    from automl_assets.learn.families._network_torch import TorchTrainer

    return TorchTrainer(params, weights, rows, valid, limits)


def initial(params: Params, inputs: Inputs, target: Target, rows: Rows, seed: int) -> "Arrays":
    """Weights to be trained; heads begin at the classes' shares or at the mean."""
    import numpy as np

    bias = np.zeros(1)
    if target.classes:
        shares = np.bincount(rows.y, weights=rows.weight, minlength=len(target.seen)) + 1
        bias = np.log(shares / shares.sum())
    return initial_weights(inputs, params["width"], params["depth"], MEMBERS, params["frequency"], bias, seed)


class AdamW:
    """AdamW over a flat vector, of numpy or of torch; only layers and heads decay, and some weights learn faster.

    shapes: of the weights, by name, in the vector's order.
    """

    def __init__(self, flat: Any, shapes: "Shapes", decay: float, as_vector: Callable[["np.ndarray"], Any]):
        import numpy as np

        sizes = [math.prod(shape) for shape in shapes.values()]
        decays = [decay if name.startswith(("layer_", "heads")) else 0.0 for name in shapes]
        factors = [RATES.get(name, 1.0) for name in shapes]
        self._factor = as_vector(np.repeat(np.array(factors, np.float32), sizes))
        self._decay = self._factor * as_vector(np.repeat(np.array(decays, np.float32), sizes))
        self._mean, self._square = flat * 0, flat * 0
        self._steps = 0

    def step(self, flat: Any, gradient: Any, rate: float) -> None:
        """Change the weights in place."""
        self._steps += 1
        self._mean *= BETAS[0]
        self._mean += (1 - BETAS[0]) * gradient
        self._square *= BETAS[1]
        self._square += (1 - BETAS[1]) * gradient**2
        if self._steps % STEPS_UNTIL_TINY == 0:  # what no row moves any more sinks to numbers that take ages to add
            self._mean[abs(self._mean) < TINY] = 0
            self._square[self._square < TINY] = 0
        spread = (self._square / (1 - BETAS[1] ** self._steps)) ** 0.5 + 1e-8
        flat *= 1 - rate * self._decay
        flat -= (rate / (1 - BETAS[0] ** self._steps)) * self._factor * self._mean / spread


def flattened(weights: "Arrays") -> "np.ndarray":
    """All weights as one vector."""
    import numpy as np

    return np.concatenate([value.ravel() for value in weights.values()])


def views(flat: Any, shapes: "Shapes") -> dict[str, Any]:
    """The weights of a flat vector by name: parts of it, no copies."""
    parts: dict[str, Any] = {}
    start = 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        parts[name], start = flat[start:end].reshape(shape), end
    return parts
