"""The GPU backend: the step contract over tensors of PyTorch."""
