"""What `benchmarks.gpu` and `benchmarks.training` check and time on a device."""
