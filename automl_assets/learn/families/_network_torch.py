"""The tabular network's training on a GPU: torch's own gradient of the same loss."""

from typing import TYPE_CHECKING, Any

from automl_assets.learn.families._base import FitLimits, Params
from automl_assets.learn.families._network_layers import depth_of
from automl_assets.learn.families._network_training import AdamW, Rows, flattened, views

if TYPE_CHECKING:
    import numpy as np
    import torch

    Arrays = dict[str, np.ndarray]
    Tensors = dict[str, torch.Tensor]
    Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]

VALID_CHUNK = 8_192


class TorchTrainer:
    """Weights as views of one tensor on a device; the rows are there too."""

    def __init__(self, params: Params, weights: "Arrays", rows: Rows, valid: Rows, limits: FitLimits):
        import torch

        def moved(array: "np.ndarray") -> "torch.Tensor":
            return torch.from_numpy(array).to(limits.device)

        self._moved, self._dropout = moved, params["dropout"]
        self._shapes = {name: value.shape for name, value in weights.items()}
        self._flat = moved(flattened(weights)).requires_grad_()
        self._rows, self._valid = _batch(rows, moved), _batch(valid, moved)
        self._adam = AdamW(self._flat.detach(), self._shapes, params["weight_decay"], moved)
        torch.manual_seed(limits.seed)

    def step(self, index: "np.ndarray", rate: float) -> None:
        """One step of AdamW down the members' mean loss."""
        import torch

        places = self._moved(index)
        rows = [part[places] for part in self._rows]
        step_loss(
            views(self._flat, self._shapes), (rows[0], rows[1], rows[2], rows[3], rows[4]), self._dropout
        ).backward()
        with torch.no_grad():
            self._adam.step(self._flat, self._flat.grad, rate)
        self._flat.grad = None

    def loss(self) -> float:
        """The loss of the members' mean prediction: squared error or log loss."""
        import torch

        total, weights = 0.0, views(self._flat.detach(), self._shapes)
        for start in range(0, len(self._valid[3]), VALID_CHUNK):
            z, flags, codes, y, weight = (part[start : start + VALID_CHUNK] for part in self._valid)
            raw = torch_forward(weights, z, flags, codes)
            if raw.shape[2] == 1:
                losses = (raw[:, :, 0].mean(dim=0) - y) ** 2
            else:
                of_class = torch.softmax(raw, dim=2).mean(dim=0).gather(1, y[:, None])[:, 0]
                losses = -torch.log(of_class.clamp_min(1e-12))
            total += float((weight * losses).sum())
        return total / len(self._valid[3])

    def weights(self) -> "Arrays":
        """A copy of the weights."""
        return views(self._flat.detach().cpu().numpy().copy(), self._shapes)


def _batch(rows: Rows, moved: Any) -> "Batch":
    return moved(rows.z), moved(rows.flags), moved(rows.codes), moved(rows.y), moved(rows.weight)


def step_loss(weights: "Tensors", rows: "Batch", dropout: float) -> "torch.Tensor":
    """The members' mean loss."""
    from torch.nn.functional import cross_entropy

    z, flags, codes, y, weight = rows
    raw = torch_forward(weights, z, flags, codes, dropout)
    if raw.shape[2] == 1:
        return (weight * (raw[:, :, 0] - y) ** 2).mean()
    losses = cross_entropy(raw.flatten(0, 1), y.repeat(len(raw)), reduction="none")
    return (weight.repeat(len(raw)) * losses).mean()


def torch_forward(
    w: "Tensors", z: "torch.Tensor", flags: "torch.Tensor", codes: "torch.Tensor", dropout: float = 0.0
) -> "torch.Tensor":
    """`numpy_forward` in torch; after each layer, a share of its values is dropped by chance."""
    import torch
    from torch.nn.functional import embedding

    parts = [z, flags]
    if len(w["waves"]):
        waves = torch.cos(torch.addcmul(w["phases"], z.T[:, :, None], w["waves"]))
        parts.append(torch.baddbmm(w["mix_bias"], waves, w["mix"]).transpose(0, 1).flatten(1))
    if codes.shape[1]:
        parts.append(embedding(codes, w["table"]).flatten(1))
    hidden = torch.cat(parts, dim=1) * w["adapters"]
    for i in range(depth_of(w)):
        hidden = torch.relu(torch.matmul(hidden, w[f"layer_{i}"]) + w[f"bias_{i}"])
        hidden = torch.dropout(hidden, dropout, train=True) if dropout else hidden
    return torch.baddbmm(w["head_bias"], hidden, w["heads"])
