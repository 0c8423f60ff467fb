"""The host side of a run: arrays, arguments and operations for the compiled time loop."""
