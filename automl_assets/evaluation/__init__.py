"""Is the model any good, on rows that it never saw?"""
