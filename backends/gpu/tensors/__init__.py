"""The step contract in eager PyTorch: in float64 on the CPU device it has the reference's bits."""
