"""The search for good configurations within a budget."""
