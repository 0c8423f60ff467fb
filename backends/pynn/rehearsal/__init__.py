"""A plan for SpiNNaker, run on this computer in the machine's own arithmetic."""
