"""Layers of LIF neurons, forward and backward: the Trainer beside modules written by hand.

All follow one scheme, ``v = beta * (v + input)``, a spike from 1 on, then a reset to 0, in float32:
with the same weights they emit the same spikes, but for rounding at the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn

import neurosim as ns
from neurosim.gpu import Trainer
from neurosim.models import cells

from ..report import spread

BETA = math.exp(-0.1)  # 10 ms, in steps of 1 ms
_COMPILED_STEPS = 5  # of Norse's loop, together


@dataclass(frozen=True)
class Work:
    """A stack of layers and a batch.

    Attributes
    ----------
    sizes : inputs, then neurons of each layer
    steps, batch : int
    rate : float
        Probability of an input spike per step.
    """

    sizes: tuple[int, ...]
    steps: int
    batch: int
    rate: float = 0.1

    def spikes(self, device: torch.device) -> Tensor:
        """Return input spikes, (T, B, N)."""
        generator = torch.Generator().manual_seed(1)
        shape = (self.steps, self.batch, self.sizes[0])
        return (torch.rand(shape, generator=generator) < self.rate).float().to(device)

    def weights(self) -> list[Tensor]:
        """Return the matrices (N_out, N_in) that all contestants begin with."""
        generator = torch.Generator().manual_seed(2)
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        # Of the size at which layers spike from the start.
        return [
            (torch.randn(after, before, generator=generator) + 0.1) / math.sqrt(before)
            for before, after in pairs
        ]


class ByTrainer(nn.Module):
    """Layers as a network of ours."""

    def __init__(self, work: Work, device: torch.device, *, compiled: bool = False) -> None:
        super().__init__()
        net = ns.Network("layers", dt="1 ms")
        neuron = cells.lif_delta(
            tau="10 ms", rest="0 mV", threshold="1 mV", reset="rest", refractory="0 ms"
        )
        before: Any = net.spike_source("layer0", work.sizes[0])
        for number, (size, weight) in enumerate(
            zip(work.sizes[1:], work.weights(), strict=True), start=1
        ):
            layer = net.population(f"layer{number}", size, neuron)
            net.project(
                before,
                layer,
                ns.all_to_all(),
                weight=weight.T.reshape(-1).double().numpy(),
                name=f"edges{number}",
                same_step=True,
            )
            before = layer
        names = [f"edges{number}" for number in range(1, len(work.sizes))]
        self.trainer = Trainer(
            net,
            inputs="layer0",
            outputs=before.name,
            train=names,
            device=str(device),
            compiled=compiled,
        )

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes of the last layer, (T, B, N)."""
        return self.trainer(spikes)


class BySnnTorch(nn.Module):
    """Layers of ``snntorch.Leaky``, as its tutorials write them."""

    def __init__(self, work: Work, device: torch.device) -> None:
        super().__init__()
        import snntorch
        from snntorch import surrogate

        self.dense = _dense(work)
        self.neurons = nn.ModuleList(
            snntorch.Leaky(
                beta=BETA,
                reset_mechanism="zero",
                reset_delay=False,
                spike_grad=surrogate.fast_sigmoid(),
            )
            for _ in self.dense
        )
        self.to(device)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes of the last layer, (T, B, N)."""
        voltages: list[Any] = [neuron.init_leaky() for neuron in self.neurons]  # type: ignore
        steps = []
        for x in spikes:
            for number, (dense, neuron) in enumerate(zip(self.dense, self.neurons, strict=True)):
                # The jump comes before the decay.
                x, voltages[number] = neuron(BETA * dense(x), voltages[number])
            steps.append(x)
        return torch.stack(steps)


class ByNorse(nn.Module):
    """Layers of ``norse.torch.LIFBoxCell``, whose reset is to 0 in the step of the spike."""

    def __init__(self, work: Work, device: torch.device, *, compiled: bool = False) -> None:
        super().__init__()
        import norse.torch as norse  # type: ignore

        # dv = dt * tau_mem_inv * (v_leak - v + input): Euler's factor in place of the exact one.
        parameters = norse.LIFBoxParameters(
            tau_mem_inv=torch.tensor((1 - BETA) * 1000.0, device=device),
            v_th=torch.tensor(1.0, device=device),
        )
        self.dense = _dense(work)
        self.neurons = [norse.LIFBoxCell(p=parameters, dt=0.001) for _ in self.dense]
        self._sizes = work.sizes[1:]
        self._state = norse.LIFBoxFeedForwardState
        # All steps as one function would be compiled for minutes: its time grows faster than them.
        self._length = _COMPILED_STEPS if compiled else work.steps
        self._loop = torch.compile(self._run, dynamic=False) if compiled else self._run
        self.to(device)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes of the last layer, (T, B, N)."""
        batch = spikes.shape[1]
        states = [self._state(v=spikes.new_zeros(batch, size)) for size in self._sizes]
        parts = []
        for part in spikes.split(self._length):
            emitted, states = self._loop(part, states)
            parts.append(emitted)
        return torch.cat(parts)

    def _run(self, spikes: Tensor, states: list[Any]) -> tuple[Tensor, list[Any]]:
        """Return the spikes of the last layer in some steps, and the states after them."""
        # Euler's step of Norse has the factor 1 - BETA where ours has BETA.
        scale = BETA / (1 - BETA)
        states = list(states)
        steps = []
        for x in spikes:
            for number, (dense, neuron) in enumerate(zip(self.dense, self.neurons, strict=True)):
                x, states[number] = neuron(scale * dense(x), states[number])
            steps.append(x)
        return torch.stack(steps), states


class BySpikingJelly(nn.Module):
    """Layers of SpikingJelly's ``LIFNode``, over all steps at once."""

    def __init__(self, work: Work, device: torch.device) -> None:
        super().__init__()
        from spikingjelly.activation_based import functional, neuron  # type: ignore

        self._reset = functional.reset_net
        self.dense = _dense(work)
        self.neurons = nn.ModuleList(
            neuron.LIFNode(
                tau=1 / (1 - BETA),
                decay_input=False,
                v_reset=0.0,
                step_mode="m",
                backend="cupy" if find_spec("cupy") else "torch",
            )
            for _ in self.dense
        )
        self.to(device)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes of the last layer, (T, B, N)."""
        self._reset(self)
        for dense, neurons in zip(self.dense, self.neurons, strict=True):
            spikes = neurons(BETA * dense(spikes))
        return spikes


class Products(nn.Module):
    """The matrix products alone, over all steps at once: no layer of neurons takes less."""

    def __init__(self, work: Work, device: torch.device) -> None:
        super().__init__()
        self.dense = _dense(work)
        self.to(device)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the last products, (T, B, N)."""
        for dense in self.dense:
            spikes = dense(spikes)
        return spikes


def _dense(work: Work) -> nn.ModuleList:
    layers = nn.ModuleList()
    for weight in work.weights():
        layer = nn.Linear(*weight.T.shape, bias=False)
        layer.weight = nn.Parameter(weight.clone())
        layers.append(layer)
    return layers


Build = Callable[[Work, torch.device], nn.Module]


def contestants() -> dict[str, Build]:
    """Return what is installed, by name; ours comes first."""
    every: list[tuple[str, str, Build]] = [
        ("Trainer", "torch", ByTrainer),
        ("Trainer, compiled", "torch", partial(ByTrainer, compiled=True)),
        ("matrix products alone", "torch", Products),
        ("snnTorch", "snntorch", BySnnTorch),
        ("Norse", "norse", ByNorse),
        ("Norse, compiled", "norse", partial(ByNorse, compiled=True)),
        ("SpikingJelly", "spikingjelly", BySpikingJelly),
    ]
    return {name: build for name, package, build in every if find_spec(package)}


def time_layers(
    work: Work, device: torch.device, *, repetitions: int, names: Sequence[str] = ()
) -> dict[str, Any]:
    """Time forward and backward passes, contestants in turn.

    Parameters
    ----------
    work : Work
    device : torch.device
    repetitions : int
        After one that does not count.
    names : sequence of str
        Of contestants; all that are installed unless given.

    Raises
    ------
    ValueError
        If a contestant's layers are silent, or spike more or less often than ours by 2 %.
    """
    spikes = work.spikes(device)
    modules = {n: b(work, device) for n, b in contestants().items() if not names or n in names}
    wall: dict[str, list[float]] = {name: [] for name in modules}
    emitted: dict[str, float] = {}
    for turn in range(repetitions + 1):
        for name, module in modules.items():
            seconds, emitted[name] = _pass(module, spikes, device)
            if turn:
                wall[name].append(seconds)
    rates = {n: total / work.steps / work.batch for n, total in emitted.items() if n != _FLOOR}
    _require_spikes(rates)
    return {
        "work": f"{'-'.join(map(str, work.sizes))}, T {work.steps}, batch {work.batch}",
        "seconds": {name: spread(times) for name, times in wall.items()},
        "spikes per sample and step": rates,
        "missing": sorted({"Norse", "SpikingJelly", "snnTorch"} - modules.keys()),
    }


_FLOOR = "matrix products alone"


def _pass(module: nn.Module, spikes: Tensor, device: torch.device) -> tuple[float, float]:
    """Return the seconds of a pass there and back, and the number of spikes."""
    module.zero_grad()
    _wait(device)
    clock = clock_of(device)
    began = clock()
    out = module(spikes)
    out.sum().backward()
    _wait(device)
    return clock() - began, float(out.detach().sum())


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the clock of a device: on one thread that of the processor, whatever else runs."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return process_time if alone else perf_counter


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _require_spikes(rates: dict[str, float]) -> None:
    ours = rates["Trainer"]
    if ours <= 0:
        raise ValueError("no neuron of the last layer spikes")
    for name, rate in rates.items():
        if abs(rate - ours) > 0.02 * ours:
            raise ValueError(f"{name}: found {rate:.4g} spikes per step, expected {ours:.4g}")
