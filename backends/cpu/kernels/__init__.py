"""Kernels: hand-written functions that Numba compiles."""
