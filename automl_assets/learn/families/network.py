"""A tabular neural network in the manner of RealMLP (Holzmüller et al. 2024) and TabM (Gorishniy et al. 2024)."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.families._base import Family, FitData, FitLimits, Params, Shape, Suggest
from automl_assets.learn.families._network_layers import Inputs, numpy_forward
from automl_assets.learn.families._network_training import Rows, Target, plan, train

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

FILE = "network.npz"


class Network(Family):
    """Eight members that share their layers; `weights` as float64, `inputs` and `target` translate."""

    order = 25
    packages = ("automl_assets.learn.families._network_numpy",)
    on_gpu = True

    def __init__(self, inputs: Inputs, weights: "Arrays", target: "Target"):
        self._inputs, self._target = inputs, target
        self._weights = {name: value.astype("float64") for name, value in weights.items()}

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            "learning_rate": 8e-3,
            "width": 128,
            "depth": 2,
            "dropout": 0.1,
            "weight_decay": 0.02,
            "frequency": 0.3 if shape.rows < 5_000 else 0.6,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        """`frequency`: the standard deviation of the periodic embeddings' frequencies, in waves a robust spread."""
        return {
            "learning_rate": suggest.suggest_float("learning_rate", 2e-3, 3e-2, log=True),
            "width": suggest.suggest_int("width", 64, 192, log=True),
            "depth": suggest.suggest_int("depth", 1, 3),
            "dropout": suggest.suggest_float("dropout", 0.0, 0.4),
            "weight_decay": suggest.suggest_float("weight_decay", 1e-3, 0.5, log=True),
            "frequency": suggest.suggest_float("frequency", 0.05, 1.5, log=True),
        }

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return plan(shape.rows)[1]

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        """The matrices' share grows with the square of the width, that of the rest with the width."""
        batch, epochs = plan(shape.rows)
        width = params["width"]
        layers = params["depth"] * width * (0.5 + width / 256)
        return epochs * max(shape.rows, batch) * (60 + shape.features + layers + 2 * shape.classes)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        from threadpoolctl import threadpool_limits

        inputs = Inputs.fit(data.X, sorted({*data.categorical, *data.nominal}))
        target = Target.fit(data, shape.classes)
        rows = Rows.of(inputs, target, data.X, data.y, data.weight)
        valid = Rows.of(inputs, target, data.X_valid, data.y_valid, data.weight_valid)
        with threadpool_limits(limits.threads):
            weights, epochs, starved = train(params, inputs, target, rows, valid, limits)
        inputs.give_strangers_the_mean(weights["table"], rows.codes)
        model = cls(inputs, weights, target)
        model.trees, model.starved = epochs, starved
        return model

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        """By numpy alone, in float64; a single row takes some 0.1 ms."""
        return self._target.decode(numpy_forward(self._weights, *self._inputs.apply(X)))

    def save(self, folder: Path) -> None:
        import numpy as np

        named = {"inputs": self._inputs.arrays(), "weights": self._weights, "target": asdict(self._target)}
        arrays: dict[str, Any] = {
            f"{part}.{name}": np.asarray(value) for part, of in named.items() for name, value in of.items()
        }
        single: dict[str, Any] = {
            name: a.astype(np.float32) for name, a in arrays.items() if name.startswith("weights.")
        }
        np.savez(folder / FILE, **(arrays | single))

    @classmethod
    def load(cls, folder: Path) -> Self:
        import numpy as np

        parts: dict[str, Arrays] = {"inputs": {}, "weights": {}, "target": {}}
        with np.load(folder / FILE, allow_pickle=False) as file:
            for key in file.files:
                part, _, name = key.partition(".")
                parts[part][name] = file[key]
        target: dict[str, Any] = {name: a if name == "seen" else a.item() for name, a in parts["target"].items()}
        return cls(Inputs(**parts["inputs"]), parts["weights"], Target(**target))
