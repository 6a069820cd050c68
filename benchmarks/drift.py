"""Every figure about drift and the retraining loop, one after the other: `python -m benchmarks.drift`."""

import subprocess
import sys
import time

MODULES = ("drift_speed", "estimated_performance", "drift_replays", "drift_streams", "sensor_ticks")


def main() -> None:
    """Run each in a process of its own, so that none pays for another's memory; stop at one that fails."""
    for module in MODULES:
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=True)
        print(f"\n{module} took {time.monotonic() - begun:.0f} s.", flush=True)


if __name__ == "__main__":
    main()
