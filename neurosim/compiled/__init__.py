"""Compiled code: the functions of the language for Numba, the cache on disk, and the number of cores."""
