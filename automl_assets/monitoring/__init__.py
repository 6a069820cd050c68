"""What changed since the champion was trained, and what follows."""
