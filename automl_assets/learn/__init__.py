"""Learning from arrays: families, features, splits, scores, and the runner that can stop any fit."""
