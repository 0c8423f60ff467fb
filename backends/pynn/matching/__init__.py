"""Matching: equations of cells and rules compared with the standard models of PyNN."""
