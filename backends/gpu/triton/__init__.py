"""The step contract as Triton kernels, printed from the same trees as every other engine."""
