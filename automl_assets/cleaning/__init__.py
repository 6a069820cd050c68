"""Plans that repair, replayed the same everywhere."""
