"""The device: a GPU where there is one, and the CPU when its memory runs out."""

import pytest

from resources.gpu_device import Device, GpuDevice, driver_is_there


class Pretending(GpuDevice):
    """A device that says it is a GPU, so that the fallback is tested where there is none."""

    pretended: Device = "mps"

    def device(self) -> Device:
        return self.pretended


def test_without_a_driver_it_is_the_cpu_and_torch_is_not_asked() -> None:
    if driver_is_there():
        pytest.skip("this machine has a GPU driver")
    device = GpuDevice()
    assert device.device() == "cpu"
    assert device.xgboost_device() == "cpu"
    assert device.free_mb() is None


def test_the_cpu_may_be_preferred() -> None:
    assert GpuDevice(prefer="cpu").device() == "cpu"


@pytest.mark.parametrize("message", ["CUDA out of memory. Tried to allocate", "MPS backend out of memory", "bad_alloc"])
def test_work_that_exhausts_the_gpu_is_done_on_the_cpu(message: str) -> None:
    tried: list[Device] = []

    def work(device: Device) -> str:
        tried.append(device)
        if device != "cpu":
            raise RuntimeError(message)
        return "done"

    assert Pretending().run(work) == ("done", "cpu")
    assert tried == ["mps", "cpu"]


def test_other_failures_are_not_hidden() -> None:
    def work(device: Device) -> None:
        raise RuntimeError("a wrong shape")

    with pytest.raises(RuntimeError, match="a wrong shape"):
        Pretending().run(work)


def test_running_out_on_the_cpu_is_a_failure() -> None:
    def work(device: Device) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        GpuDevice(prefer="cpu").run(work)


def test_work_that_fits_stays_on_the_gpu() -> None:
    assert Pretending().run(lambda device: device) == ("mps", "mps")
