"""What is measured, with the commands that repeat it: `python -m benchmarks` prints every figure."""
