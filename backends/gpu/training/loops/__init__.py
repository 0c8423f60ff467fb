"""Loops: all steps of a population compiled as one loop forward and one backward."""
