"""How the tabular network is trained: its target, its rows on a device, its pace, and the loop over epochs."""

import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.families._base import FitData, FitLimits, Params, all_classes
from automl_assets.learn.families._network_layers import Inputs, initial_heads, initial_weights, torch_forward

if TYPE_CHECKING:
    import numpy as np
    import torch

    Tensors = dict[str, torch.Tensor]
    Drop = Callable[[torch.Tensor], torch.Tensor]

MEMBERS = 8
MOST_EPOCHS, FEWEST_EPOCHS, ROWS_VISITED = 30, 8, 600_000
FEWEST_STEPS, STEPS_REGARDLESS_OF_TIME = 200, 30
STEPS_UNTIMED, STEPS_TIMED = 5, 51
PATIENCE = 0.5
WARM_UP = 0.1
BETAS = (0.9, 0.95)
RATES = {"waves": 0.3, "phases": 0.3, "adapters": 2.0}
TIME_KEPT = 0.15
VALID_CHUNK = 8_192
LEAST_MASK = 1 << 20


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
    """Rows on the device where the network is trained: what `Inputs.apply` gives, labels, weights with a mean of 1."""

    z: "torch.Tensor"
    flags: "torch.Tensor"
    codes: "torch.Tensor"
    y: "torch.Tensor"
    weight: "torch.Tensor"

    @classmethod
    def of(
        cls, inputs: Inputs, target: Target, X: "np.ndarray", y: "np.ndarray", weight: "np.ndarray | None", device: str
    ) -> Self:
        """Without the rows whose class no training row has."""
        import numpy as np
        import torch

        known = np.isin(y, target.seen) if target.classes else np.ones(len(y), bool)
        weights = _weights(None if weight is None else weight[known], int(known.sum())).astype(np.float32)
        arrays = [*inputs.apply(X[known]), target.encode(y[known]), weights]
        return cls(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))

    def at(self, index: Any) -> "Rows":
        """Some of the rows."""
        return Rows(self.z[index], self.flags[index], self.codes[index], self.y[index], self.weight[index])


def _weights(weight: "np.ndarray | None", rows: int) -> "np.ndarray":
    """Weights with a mean of 1; weights that are all 0 count as none."""
    import numpy as np

    if weight is None or not weight.sum() > 0:
        return np.ones(rows)
    return weight / weight.mean(dtype=np.float64)


def plan(rows: int) -> tuple[int, int]:
    """Rows a step, and epochs: fewer where rows are very many, more where they are so few that steps are."""
    batch = min(256, max(32, rows // 4))
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


def train(
    params: Params, inputs: Inputs, target: Target, rows: Rows, valid: Rows, limits: FitLimits
) -> "tuple[Tensors, int, bool]":
    """The weights of the best epoch on the validation rows, the epochs made, and whether time cut them short."""
    import torch

    generator = torch.Generator().manual_seed(limits.seed)
    weights = _initial(params, inputs, target, rows, generator)
    best, best_loss, best_epoch = _copied(weights), math.inf, 0
    batch, wanted = plan(len(rows.y))
    batches = max(1, len(rows.y) // batch)
    epochs = limits.most_trees(wanted) if len(target.seen) != 1 else 0
    epoch, pace = 0, Pace(epochs * batches, limits)
    optimizer = _optimizer(weights, params)
    drop = _dropout(params["dropout"], 4 * batch * MEMBERS * params["width"], limits, generator)
    while not pace.is_over():
        order = torch.randperm(len(rows.y), generator=generator).to(rows.y.device)
        for i in range(batches):
            if pace.is_over():
                break
            for group in optimizer.param_groups:
                group["lr"] = params["learning_rate"] * group["factor"] * pace.rate()
            optimizer.zero_grad()
            _step_loss(weights, rows.at(order[i * batch : (i + 1) * batch]), drop).backward()
            optimizer.step()
            pace.step()
        epoch += 1
        loss = _valid_loss(weights, valid if len(valid.y) else rows)
        if loss < best_loss:
            best, best_loss, best_epoch = _copied(weights), loss, epoch
        if not math.isfinite(loss) or epoch - best_epoch > PATIENCE * epochs:
            break
    return best, epoch, pace.hurried or 0 < epochs < wanted


def _initial(params: Params, inputs: Inputs, target: Target, rows: Rows, generator: "torch.Generator") -> "Tensors":
    """Weights to be trained, on the rows' device; heads begin at the classes' shares or at the mean."""
    import torch

    bias = torch.zeros(1)
    if target.classes:
        labels, weight = rows.y.cpu(), rows.weight.cpu()
        shares = torch.bincount(labels, weights=weight, minlength=len(target.seen)) + 1
        bias = torch.log(shares / shares.sum()).float()
    width = params["width"]
    weights = initial_weights(inputs, width, params["depth"], MEMBERS, params["frequency"], generator)
    weights |= initial_heads(MEMBERS, width, bias, generator)
    return {name: value.to(rows.y.device).requires_grad_() for name, value in weights.items()}


def _optimizer(weights: "Tensors", params: Params) -> "torch.optim.Optimizer":
    """AdamW; only layers and heads decay, and some weights learn faster or slower than the layers."""
    import torch

    groups = [
        {
            "params": [value],
            "factor": RATES.get(name, 1.0),
            "weight_decay": params["weight_decay"] if name.startswith(("layer_", "heads")) else 0.0,
        }
        for name, value in weights.items()
    ]
    return torch.optim.AdamW(groups, lr=params["learning_rate"], betas=BETAS, fused=True)


def _dropout(rate: float, size: int, limits: FitLimits, generator: "torch.Generator") -> "Drop | None":
    """Multiplies by a slice, at a random place, of one mask: drawing each mask afresh took a third of the training."""
    import torch

    if not rate:
        return None
    length = max(size, LEAST_MASK)
    mask = ((torch.rand(length, generator=generator) >= rate).float() / (1 - rate)).to(limits.device)
    places = random.Random(limits.seed)

    def drop(hidden: "torch.Tensor") -> "torch.Tensor":
        start = places.randrange(length - hidden.numel() + 1)
        return hidden * mask[start : start + hidden.numel()].view(hidden.shape)

    return drop


def _step_loss(weights: "Tensors", rows: Rows, drop: "Drop | None") -> "torch.Tensor":
    """The members' mean loss: each learns by itself, as TabM's do."""
    from torch.nn.functional import cross_entropy

    raw = torch_forward(weights, rows.z, rows.flags, rows.codes, drop)
    if raw.shape[2] == 1:
        return (rows.weight * (raw[:, :, 0] - rows.y) ** 2).mean()
    losses = cross_entropy(raw.flatten(0, 1), rows.y.repeat(len(raw)), reduction="none")
    return (rows.weight.repeat(len(raw)) * losses).mean()


def _valid_loss(weights: "Tensors", rows: Rows) -> float:
    """The loss of the members' mean prediction: squared error or log loss."""
    import torch

    total = 0.0
    with torch.no_grad():
        for start in range(0, len(rows.y), VALID_CHUNK):
            some = rows.at(slice(start, start + VALID_CHUNK))
            raw = torch_forward(weights, some.z, some.flags, some.codes)
            if raw.shape[2] == 1:
                losses = (raw[:, :, 0].mean(dim=0) - some.y) ** 2
            else:
                of_class = torch.softmax(raw, dim=2).mean(dim=0).gather(1, some.y[:, None])[:, 0]
                losses = -torch.log(of_class.clamp_min(1e-12))
            total += float((some.weight * losses).sum())
    return total / len(rows.y)


def _copied(weights: "Tensors") -> "Tensors":
    return {name: value.detach().clone() for name, value in weights.items()}
