"""Generated code: the statements of cells and rules printed as source for Numba."""
