"""The device that fits may use: cuda or mps where there is one, else the CPU."""

import ctypes.util
import os
import sys
from collections.abc import Callable
from typing import Literal, TypeVar

import dagster as dg

Device = Literal["cuda", "mps", "cpu"]
OUT_OF_MEMORY = ("out of memory", "outofmemory", "bad_alloc")
Result = TypeVar("Result")


class GpuDevice(dg.ConfigurableResource):
    """Finds the device once a process. torch is imported only where a driver is there to be asked."""

    prefer: Literal["auto", "cpu"] = "auto"
    least_free_mb: float = 512.0

    def device(self) -> Device:
        """The device to use now: a GPU with too little free memory is passed over."""
        if self.prefer == "cpu" or not driver_is_there():
            return "cpu"
        import torch

        if torch.cuda.is_available():
            free = self.free_mb()
            return "cuda" if free is None or free >= self.least_free_mb else "cpu"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    def xgboost_device(self) -> Literal["cuda", "cpu"]:
        """The device for XGBoost, which knows no mps."""
        return "cuda" if self.device() == "cuda" else "cpu"

    def free_mb(self) -> float | None:
        """MiB free on the GPU; None where there is none, or it doesn't say."""
        if not driver_is_there():
            return None
        import torch

        if not torch.cuda.is_available():
            return None
        free, _ = torch.cuda.mem_get_info()
        return free / 2**20

    def run(self, work: "Callable[[Device], Result]") -> tuple[Result, Device]:
        """The result of `work(device)` and the device that gave it: the CPU when the GPU's memory runs out."""
        device = self.device()
        try:
            return work(device), device
        except RuntimeError as error:
            if device == "cpu" or not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise
        if device == "cuda":
            import torch

            torch.cuda.empty_cache()
        return work("cpu"), "cpu"


def driver_is_there() -> bool:
    """Whether the system has a GPU driver at all: a cheap look before torch is imported."""
    if sys.platform == "darwin":
        return True
    return (
        os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd") or ctypes.util.find_library("cuda") is not None
    )
