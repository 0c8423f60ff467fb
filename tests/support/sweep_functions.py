"""Functions of a small sweep, in a module that processes of a sweep can import."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import neurosim as ns


def build(rate: float, size: int, seed: int) -> ns.Network:
    """Return Poisson sources, whose spikes are recorded."""
    net = ns.Network("sources", dt="1 ms", seed=seed)
    net.record(net.poisson("e", size, rate=f"{rate} Hz"), "spikes")
    return net


def count(result: ns.Recording) -> dict[str, float]:
    """Return the number of spikes, and note this call in the file that ``MEASURED`` names."""
    if "MEASURED" in os.environ:
        with open(os.environ["MEASURED"], "a") as file:
            file.write(f"{result.header['seed']}\n")
    return {"spikes": len(result["e"].spikes), "cv": result["e"].cv()}


def profile(result: ns.Recording) -> dict[str, np.ndarray]:
    """Return an array."""
    return {"profile": result["e"].spikes.count()}


def calls(file: Path) -> int:
    """Return how often `count` was called with this file in ``MEASURED``."""
    return len(file.read_text().split()) if file.exists() else 0


def fail_at_three(size: int, seed: int) -> ns.Network:
    """Return a network, but not of three neurons unless the file that ``MENDED`` names is there."""
    if size == 3 and not Path(os.environ["MENDED"]).exists():
        raise ValueError("three is not my number")
    return build(100, size, seed)


def die(size: int, seed: int) -> ns.Network:
    """Return a network; of three neurons, end the process that is not that of the test."""
    if size == 3 and os.environ["TEST_PROCESS"] != str(os.getpid()):
        os._exit(7)
    return build(100, size, seed)
