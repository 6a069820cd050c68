"""This engine and its peers, each in a process tree of its own, on the same tables, splits, budgets and threads."""
