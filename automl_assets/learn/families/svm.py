"""Support vector machines with a radial kernel (Cortes & Vapnik 1995): for small tables; smooth where trees are not."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.families._base import Family, FitData, FitLimits, Params, Shape, Suggest, all_classes
from automl_assets.learn.features.columns import View

if TYPE_CHECKING:
    import numpy as np

FILE = "machines.npz"
MOST_ROWS, MOST_CLASSES = 6_000, 10
ROWS_WITHOUT_TIME = 300
CACHE_MB = 100
CHUNK_CELLS = 4_000_000
INSENSITIVE = 0.05
NEWTON_STEPS = 30
RIDGE = 1e-3


@dataclass(frozen=True)
class Machine:
    """One decision function and the line that turns decisions into log-odds, or into values."""

    vectors: "np.ndarray"
    coefficients: "np.ndarray"
    intercept: float
    gamma: float
    slope: float = 1.0
    offset: float = 0.0

    def decide(self, X: "np.ndarray") -> "np.ndarray":
        """A decision a row, in chunks that keep the kernel small."""
        import numpy as np

        rows = max(1, CHUNK_CELLS // max(1, len(self.vectors)))
        squares = np.einsum("ij,ij->i", self.vectors, self.vectors)
        parts = [np.empty(0)]
        for start in range(0, len(X), rows):
            some = X[start : start + rows].astype(np.float64)
            apart = np.einsum("ij,ij->i", some, some)[:, None] + squares - 2 * some @ self.vectors.T
            parts.append(np.exp(-self.gamma * np.maximum(apart, 0)) @ self.coefficients)
        return np.concatenate(parts) + self.intercept

    def answer(self, X: "np.ndarray") -> "np.ndarray":
        """Log-odds, or values."""
        return self.slope * self.decide(X) + self.offset


class SVM(Family):
    """One machine for two classes or a number, one a class against the rest for several; predicted by numpy alone.

    The line behind each is fitted on the validation rows: a sigmoid (Platt 1999), or least squares.
    """

    view: ClassVar[View] = "dense"
    order = 60
    packages = ("sklearn.svm",)

    def __init__(self, machines: list[Machine], seen: "np.ndarray", classes: int):
        self._machines = machines
        self._seen = seen
        self._classes = classes

    @classmethod
    def refuses(cls, shape: Shape) -> str | None:
        if shape.rows > MOST_ROWS:
            return f"its time grows with the square of the rows; it takes at most {MOST_ROWS:,}"
        return f"it takes at most {MOST_CLASSES} classes" if shape.classes > MOST_CLASSES else None

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {"C": 1.0 if shape.classes else 3.0, "width": 1.0}

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        """`C` is the penalty; `width` scales the kernel's usual gamma, 1 / (features × variance)."""
        return {
            "C": suggest.suggest_float("C", 0.05, 100.0, log=True),
            "width": suggest.suggest_float("width", 0.05, 5.0, log=True),
        }

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        machines = shape.classes if shape.classes > 2 else 1
        return machines * float(shape.rows) ** 2 * (shape.features + 20)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import numpy as np

        seen = np.unique(data.y) if shape.classes else np.empty(0, dtype=int)
        if limits.time_is_up() and len(data.X) > ROWS_WITHOUT_TIME:
            data = _some_rows(data, limits.seed)
        gamma = params["width"] / (data.X.shape[1] * max(float(data.X.var()), 1e-9))
        if not shape.classes:
            return cls([_number(data, params["C"], gamma)], seen, 0)
        if len(seen) < 2:
            return cls([], seen, shape.classes)
        positives = seen[1:] if len(seen) == 2 else seen
        return cls([_against_the_rest(data, k, params["C"], gamma) for k in positives], seen, shape.classes)

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        if not self._classes:
            return self._machines[0].answer(X)
        if not self._machines:
            return all_classes(np.ones((len(X), 1)), self._seen, self._classes)
        odds = np.column_stack([1 / (1 + np.exp(-np.clip(m.answer(X), -30, 30))) for m in self._machines])
        shares = np.column_stack([1 - odds, odds]) if odds.shape[1] == 1 else odds / odds.sum(axis=1, keepdims=True)
        return all_classes(shares, self._seen, self._classes)

    def save(self, folder: Path) -> None:
        import numpy as np

        arrays = {"seen": self._seen, "classes": np.array(self._classes), "machines": np.array(len(self._machines))}
        for number, m in enumerate(self._machines):
            arrays[f"vectors_{number}"] = m.vectors.astype(np.float32)
            arrays[f"coefficients_{number}"] = m.coefficients
            arrays[f"line_{number}"] = np.array([m.intercept, m.gamma, m.slope, m.offset])
        np.savez(folder / FILE, **arrays)  # pyright: ignore[reportArgumentType] - its stub takes names for options

    @classmethod
    def load(cls, folder: Path) -> Self:
        import numpy as np

        with np.load(folder / FILE, allow_pickle=False) as file:
            machines = [
                Machine(file[f"vectors_{k}"], file[f"coefficients_{k}"], *(float(v) for v in file[f"line_{k}"]))
                for k in range(int(file["machines"]))
            ]
            return cls(machines, file["seen"], int(file["classes"]))


def _some_rows(data: FitData, seed: int) -> FitData:
    """A few hundred training rows, for a fit whose time was up before it began."""
    from dataclasses import replace

    import numpy as np

    chosen = np.random.default_rng(seed).choice(len(data.X), ROWS_WITHOUT_TIME, replace=False)
    weight = None if data.weight is None else data.weight[chosen]
    return replace(data, X=data.X[chosen], y=data.y[chosen], weight=weight)


def _against_the_rest(data: FitData, positive: int, C: float, gamma: float) -> Machine:
    """A class against all others, with log-odds by Platt's sigmoid."""
    import numpy as np
    from sklearn.svm import SVC

    y = (data.y == positive).astype(int)
    if y.min() == y.max():
        return Machine(np.zeros((1, data.X.shape[1])), np.zeros(1), 0.0, gamma, 0.0, 30.0 if y.min() else -30.0)
    settings: dict[str, Any] = {"C": C, "gamma": gamma, "cache_size": CACHE_MB}
    estimator = SVC(**settings).fit(data.X, y, sample_weight=_mean_one(data.weight))
    machine = Machine(
        np.asarray(estimator.support_vectors_, dtype=np.float32),
        np.asarray(estimator.dual_coef_[0]),
        float(estimator.intercept_[0]),
        gamma,
    )
    slope, offset = _platt(machine.decide(data.X_valid), data.y_valid == positive, data.weight_valid)
    return Machine(machine.vectors, machine.coefficients, machine.intercept, gamma, slope, offset)


def _number(data: FitData, C: float, gamma: float) -> Machine:
    """A number, its centre and spread taken out first and put back by least squares."""
    import numpy as np
    from sklearn.svm import SVR

    centre, spread = float(np.mean(data.y)), float(np.std(data.y)) or 1.0
    settings: dict[str, Any] = {"C": C, "gamma": gamma, "cache_size": CACHE_MB, "epsilon": INSENSITIVE}
    estimator = SVR(**settings).fit(data.X, (data.y - centre) / spread, sample_weight=_mean_one(data.weight))
    vectors = np.asarray(estimator.support_vectors_, dtype=np.float32).reshape(-1, data.X.shape[1])
    machine = Machine(vectors, np.asarray(estimator.dual_coef_[0]), float(estimator.intercept_[0]), gamma)
    decided = machine.decide(data.X_valid)
    weight = np.ones(len(decided)) if data.weight_valid is None else data.weight_valid
    slope, offset = _least_squares(decided, (data.y_valid - centre) / spread, weight)
    return Machine(vectors, machine.coefficients, machine.intercept, gamma, spread * slope, spread * offset + centre)


def _mean_one(weight: "np.ndarray | None") -> "np.ndarray | None":
    return None if weight is None else weight / max(float(weight.mean()), 1e-12)


def _least_squares(x: "np.ndarray", y: "np.ndarray", weight: "np.ndarray") -> tuple[float, float]:
    """The line through (x, y), its slope kept between 0 and 2; the mean where x does not vary."""
    import numpy as np

    total = max(float(weight.sum()), 1e-12)
    mean_x, mean_y = float((weight * x).sum()) / total, float((weight * y).sum()) / total
    spread = float((weight * (x - mean_x) ** 2).sum()) / total
    slope = 0.0 if spread < 1e-12 else float((weight * (x - mean_x) * (y - mean_y)).sum()) / total / spread
    slope = float(np.clip(slope, 0.0, 2.0))
    return slope, mean_y - slope * mean_x


def _platt(decided: "np.ndarray", positive: "np.ndarray", weight: "np.ndarray | None") -> tuple[float, float]:
    """Slope and offset of the log-odds by Newton's method on smoothed targets, the slope never negative."""
    import numpy as np

    weight = np.ones(len(decided)) if weight is None else weight
    ups, downs = float(weight[positive].sum()), float(weight[~positive].sum())
    wanted = np.where(positive, (ups + 1) / (ups + 2), 1 / (downs + 2))
    design = np.column_stack([decided, np.ones(len(decided))])
    line = np.array([1.0, np.log((ups + 1) / (downs + 1))])
    for _ in range(NEWTON_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        gradient = design.T @ (weight * (odds - wanted)) + RIDGE * (line - [1.0, 0.0])
        curvature = (design * (weight * odds * (1 - odds))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.clip(np.linalg.solve(curvature, gradient), -2, 2)
        line = line - step
        if np.abs(step).max() < 1e-6:
            break
    return max(0.0, float(line[0])), float(line[1])
