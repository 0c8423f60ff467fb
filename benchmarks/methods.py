"""Errors of firing rates by method and step, against a fine solution.

Run with ``python -m benchmarks.methods``. Twenty neurons of each of three cells: Wang and
Buzsaki's and Hodgkin and Huxley's under constant currents, and integrate-and-fire neurons under
spikes whose conductances decay within 1 and 2 ms. The fine solution is that of rk4.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurosim as ns
from neurosim.models import cells

from .report import RESULTS, machine, write

NEURONS = 20
STEPS = (0.01, 0.05, 0.1)  # ms
METHODS = ("midpoint", "exponential_euler", "euler", "heun", "rk4")
FINE = 0.002  # ms


def wang_buzsaki(method: Any) -> ns.Cell:
    """Return the interneuron of Wang & Buzsaki 1996, J. Neurosci. 16:6402, without synapses."""
    return ns.Cell(
        """dv/dt = (current - leak - sodium - potassium) / capacity : mV
           leak = 0.1 * mS/cm**2 * (v + 65 * mV) : uA/cm**2
           sodium = 35 * mS/cm**2 * m**3 * h * (v - 55 * mV) : uA/cm**2
           potassium = 9 * mS/cm**2 * n**4 * (v + 90 * mV) : uA/cm**2
           m = am / (am + bm) : 1
           am = 1 / exprel(-0.1 * (v / mV + 35)) : 1
           bm = 4 * exp(-(v / mV + 60) / 18) : 1
           dh/dt = 5 / ms * (ah * (1 - h) - bh * h) : 1
           ah = 0.07 * exp(-(v / mV + 58) / 20) : 1
           bh = 1 / (exp(-0.1 * (v / mV + 28)) + 1) : 1
           dn/dt = 5 / ms * (an * (1 - n) - bn * n) : 1
           an = 0.1 / exprel(-0.1 * (v / mV + 34)) : 1
           bn = 0.125 * exp(-(v / mV + 44) / 80) : 1""",
        parameters={"capacity": "1 uF/cm**2", "current": ns.Parameter("uA/cm**2", 1.2)},
        spike="crossing(v > 0 * mV)",
        method=method,
        initial={"v": "-64 mV"},
        name="wang_buzsaki",
    )


def _wang_buzsaki(step: float, method: Any) -> ns.Network:
    net = ns.Network("wang_buzsaki", dt=step, seed=1)
    net.population("cells", NEURONS, wang_buzsaki(method), current=np.linspace(0.5, 3, NEURONS))
    return net


def _hodgkin_huxley(step: float, method: Any) -> ns.Network:
    net = ns.Network("hodgkin_huxley", dt=step, seed=1)
    cell = cells.hodgkin_huxley(method=method)
    net.population("cells", NEURONS, cell, current=np.linspace(0.2, 1.2, NEURONS))
    return net


def _lif_conductance(step: float, method: Any) -> ns.Network:
    net = ns.Network("lif_conductance", dt=step, seed=1)
    random = np.random.default_rng(1)
    # On the grid of the longest step, so that all steps have the same input.
    moments = np.arange(1, 100_000) * 0.1
    excitatory, inhibitory = (
        net.spike_source(
            name,
            10,
            times=[moments[random.random(moments.size) < chance] for _ in range(10)],
            round_times=True,
        )
        for name, chance in (("excitatory", 0.08), ("inhibitory", 0.02))
    )
    cell = cells.lif_conductance(tau_exc="1 ms", tau_inh="2 ms", method=method)
    population = net.population("cells", NEURONS, cell)
    for source, edges, weight in ((excitatory, 8, 6), (inhibitory, 4, 10)):
        net.project(
            source,
            population,
            ns.fixed_indegree(edges, multapses=True),
            weight=ns.normal(f"{weight} nS", "0.3 nS"),
            port=source.name,
        )
    return net


CELLS: Mapping[str, Callable[[float, Any], ns.Network]] = {
    "Wang-Buzsaki": _wang_buzsaki,
    "Hodgkin-Huxley": _hodgkin_huxley,
    "`lif_conductance`, synapses of 1 and 2 ms": _lif_conductance,
}


def count(
    build: Callable[[float, Any], ns.Network], step: float, method: Any, *, time: float
) -> NDArray[np.intp]:
    """Return the spikes of each neuron.

    Parameters
    ----------
    build : function (step, method) -> Network
    step : float, ms
    method : str or None
        None: the default.
    time : float, ms

    Raises
    ------
    ModelError
        If the cell cannot take the method.
    SimulationError
        If it is unstable.
    """
    net = build(step, method)
    net.record(net.populations["cells"], "spikes")
    spikes = ns.simulate(net, time, backend="cpu", threads=1, progress=False)["cells"].spikes
    return np.bincount(spikes.index, minlength=NEURONS)


def error(counts: NDArray[np.intp], exact: NDArray[np.intp]) -> float:
    """Return the error of the mean rate, in %."""
    return 100 * (counts.sum() / exact.sum() - 1)


def main() -> None:
    """Measure, print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=float, default=2000.0, metavar="MS", help="(2000)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"| cell | step | {' | '.join(f'`{m}`' for m in METHODS)} |")
    print("|---|---|" + "---|" * len(METHODS))
    for name, build in CELLS.items():
        exact = count(build, FINE, "rk4", time=options.time)
        for step in STEPS:
            errors = {m: _measure(build, step, m, exact, options.time) for m in METHODS}
            rate = exact.sum() / NEURONS / options.time * 1000
            rows.append({"cell": name, "step": step, "rate": rate, "error": errors})
            print(f"| {name} | {step} ms | {' | '.join(map(_show, errors.values()))} |", flush=True)
    write(options.out, "methods", {"machine": machine(), "errors of rates in %": rows})


def _measure(
    build: Callable[[float, Any], ns.Network],
    step: float,
    method: str,
    exact: NDArray[np.intp],
    time: float,
) -> float | str:
    try:
        return round(error(count(build, step, method, time=time), exact), 2)
    except ns.ModelError:
        return "impossible"
    except ns.SimulationError:
        return "unstable"


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:+.1f} %"


if __name__ == "__main__":
    main()
