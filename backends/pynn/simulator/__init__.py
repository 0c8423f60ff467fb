"""Simulators: the exported script, its run in a process of its own, boards and mapping."""
