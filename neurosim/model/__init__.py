"""The language: cells and rules, their declarations, resolution, binding and methods."""
