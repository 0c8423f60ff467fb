"""Compiled code: the language's functions for Numba, the cache on disk, the number of cores."""
