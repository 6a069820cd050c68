"""From a source to a typed table."""
