"""The arithmetic of SpiNNaker 1: numbers, products, exponentials, constants of cells."""
