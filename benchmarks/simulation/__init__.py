"""A deployed model's life: weekly batches with drift of known kind and time, the real daemon, and what followed."""
