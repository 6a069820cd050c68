"""From a finished study to a model folder."""
