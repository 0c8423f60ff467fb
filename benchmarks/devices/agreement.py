"""Checks that a device computes what the processor computes, before any time is printed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import neurosim as ns
from neurosim.backends.gpu.triton.engine import TritonEngine
from neurosim.backends.gpu.triton.words import words
from neurosim.draws import streams
from neurosim.expr.functions import ARITY, FUNCTIONS
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise
from neurosim.models.balanced_networks import coba, cuba, izhikevich_2003
from neurosim.models.cortical_microcircuit import cortical_microcircuit
from neurosim.models.plastic_balanced_network import plastic_balanced_network

_FUNCTION = """
def run(x, y, z, out, count, BLOCK: tl.constexpr):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = n < count
    x = tl.load(x + n, mask=lanes)
    y = tl.load(y + n, mask=lanes)
    z = tl.load(z + n, mask=lanes)
    tl.store(out + n, {call}, mask=lanes)
"""
_DRAW = """
def run(keys, clock, out, count, BLOCK: tl.constexpr):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + n, {kind}(n, keys, clock, 0), mask=n < count)
"""
_KEY = streams.key_of(1, "device/draw0")
_STEP = 2**35 + 1
_OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}


def open_engine(net: ns.Network, device: torch.device, **options: Any) -> TritonEngine:
    """Return the Triton engine of a network: compiled on CUDA, interpreted on the processor."""
    concrete = concretise(net)
    return TritonEngine(discretise(concrete), concrete, device=device, **options)


def functions_and_draws(device: torch.device, *, small: bool) -> dict[str, int]:
    """Return how many values of each function and draw differ from the definition.

    Parameters
    ----------
    device : torch.device
    small : bool
        10 000 values of each, not 100 000.
    """
    count = 10_000 if small else 100_000
    random = np.random.default_rng(1)
    arguments = [
        random.normal(0, 1, count) * np.exp(random.normal(0, 12, count)),
        random.normal(0, 4, count),
        random.normal(0, 4, count),
    ]
    differ = {}
    for name in ARITY:
        used = ["(x > 0)" if name == "where" else "x", "y", "z"][: ARITY[name]]
        source = _FUNCTION.format(call=f"{name}({', '.join(used)})")
        tensors = [torch.from_numpy(a).to(device) for a in arguments]
        values = _launch(source, device, count, *tensors)
        operands = [arguments[0] > 0, *arguments[1:]] if name == "where" else arguments
        expected = FUNCTIONS[name](*operands[: ARITY[name]])
        same = (values == expected) | (np.isnan(values) & np.isnan(expected))
        differ[name] = int(count - same.sum())
    keys = torch.tensor(_KEY, device=device)
    clock = torch.tensor([_STEP, 0, 0, 0], device=device)
    for distribution in ("uniform", "normal"):
        values = _launch(_DRAW.format(kind=f"_{distribution}"), device, count, keys, clock)
        expected = getattr(streams, distribution)(_KEY, np.arange(count), _STEP)
        differ[f"{distribution}()"] = int((values != expected).sum())
    return differ


def _launch(source: str, device: torch.device, count: int, *arguments: torch.Tensor) -> np.ndarray:
    interpreted = device.type == "cpu"
    kernel = words("float64", interpreted=interpreted).load(source, title="agreement")["run"]
    out = torch.zeros(count, dtype=torch.float64, device=device)
    block = 1 << 17 if interpreted else 256
    # The interpreter computes with NumPy, which warns where results are infinite.
    with np.errstate(all="ignore"):
        kernel[(-(-count // block),)](*arguments, out, count, BLOCK=block, **_OPTIONS)
    return out.cpu().numpy()


def networks(*, small: bool) -> dict[str, tuple[Callable[[], ns.Network], float]]:
    """Return networks by name, and the ms for which they are compared."""
    if small:
        return {
            "CUBA 400": (lambda: cuba(400, seed=1), 20.0),
            "Izhikevich 2003": (lambda: izhikevich_2003(300, seed=1), 60.0),
        }
    return {
        "CUBA 4000": (lambda: cuba(4000, seed=1), 500.0),
        "COBA 4000": (lambda: coba(4000, seed=1), 500.0),
        "Izhikevich 2003": (lambda: izhikevich_2003(1000, seed=1), 1000.0),
        "plastic, 1000": (lambda: plastic_balanced_network(size=1000, seed=1), 200.0),
        "microcircuit, 2 %": (lambda: cortical_microcircuit(0.02, seed=1), 100.0),
    }


def agree(build: Callable[[], ns.Network], time: float, device: str) -> dict[str, Any]:
    """Return how many spikes and values of a network differ between a device and ``cpu``.

    Parameters
    ----------
    build : function that returns the network
    time : float, ms
    device : str
        As the backend ``gpu`` names it.
    """
    net = build()
    runs = [ns.prepare(net, backend="cpu"), ns.prepare(net, backend="gpu", device=device)]
    for run in runs:
        run.run(time, progress=False)
    spikes = differing = 0
    results = [run.result().populations for run in runs]
    for name, expected in results[0].items():
        if expected.recorded is not None:
            spikes += expected.recorded.index.size
            differing += expected.recorded != results[1][name].recorded
    memories = [run.memory.portable() for run in runs]
    wrong = [
        ".".join(key)
        for key, array in memories[0].items()
        # Behind the spikes of a step there is no meaning.
        if key[1] != "_history" and not np.array_equal(array, memories[1][key], equal_nan=True)
    ]
    return {"spikes": spikes, "populations that differ": differing, "arrays that differ": wrong}


def pushed(device: torch.device, *, small: bool) -> dict[str, Any]:
    """Return the digests of two runs whose sums are pushed, and how far they are from the fold."""
    size, steps = (100, 15) if small else (2000, 200)
    values = []
    for delivery in ("push", "push", "pull"):
        engine = open_engine(izhikevich_2003(size, seed=2), device, delivery=delivery)
        chunk = engine.advance(0, steps)
        if not chunk.spikes[0][0].size:
            raise ValueError("no neuron spikes")
        values.append(engine.memory["neurons", "v"].copy())
    digests = [hashlib.sha256(v.tobytes()).hexdigest()[:16] for v in values]
    return {
        "the same bits twice": digests[0] == digests[1],
        "digest": digests[0],
        "largest difference from the fold": float(np.abs(values[0] - values[2]).max()),
    }
