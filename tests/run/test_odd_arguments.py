"""Verbs of runs, networks and recordings with odd arguments: our errors, and nothing changes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.open_runs import CELL, network, prepared, same, states

import neurosim as ns
from neurosim import NeurosimError
from neurosim.models import cells, plasticity


class Hostile:
    """An object all methods of which raise."""

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, *_: object, **__: object) -> None:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __eq__ = _refuse  # type: ignore[assignment]
    __bool__ = __len__ = __iter__ = _refuse
    __array__ = __float__ = __index__ = __fspath__ = _refuse


ODD = {
    "nothing": None,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "negative": -1,
    "huge": 10**30,
    "bytes": b"x",
    "hostile": Hostile(),
    "hostile within": (Hostile(),),
    "object": object(),
    "complex": 1j,
    "dictionary": {},
    "a character no name has": "\0",
    "a matrix": np.zeros((2, 2)),
    "a function": lambda: 0,
    "a class": int,
}
VERBS = {
    "run": lambda run, odd: run.run(odd, progress=False),
    "get, owner": lambda run, odd: run.get(odd, "v"),
    "get, name": lambda run, odd: run.get("cells", odd),
    "set, owner": lambda run, odd: run.set(odd, v=1),
    "set, spikes": lambda run, odd: run.set("source", steps=odd),
    "emit": lambda run, odd: run.emit(odd),
    "reset, name": lambda run, odd: run.reset("cells", odd),
    "restore": lambda run, odd: run.restore(odd),
    "restore, clock": lambda run, odd: run.restore(run.snapshot(), clock=odd),
    "load": lambda run, odd: run.load(odd),
    "save": lambda run, odd: run.save(odd),
    "recording, name": lambda run, odd: run.result()[odd],
    "recording, trace": lambda run, odd: run.result()["cells"].trace(odd),
    "recording, load": lambda _, odd: ns.Recording.load(odd),
    "recording, save": lambda run, odd: run.result().save(odd),
    "recording, edges": lambda run, odd: run.result()["plastic"].edges(odd),
    "recording, matrix": lambda run, odd: run.result()["plastic"].matrix(odd),
    "spikes, times": lambda run, odd: run.result()["cells"].spikes.times(odd),
    "network, name": lambda _, odd: ns.Network(odd, dt="1 ms"),
    # A step of 10**30 ms is long, and no mistake that could be told.
    "network, dt": lambda _, odd: ns.Network("net", dt=0 if odd is ODD["huge"] else odd),
    "population, name": lambda _, odd: network().population(odd, 3, CELL),
    "population, size": lambda _, odd: network().population("more", odd, CELL),
    "population, cell": lambda _, odd: network().population("more", 3, odd),
    "record, owner": lambda _, odd: network().record(odd, "v"),
    "record, variable": lambda _, odd: network().record(network()["cells"], odd),
    "prepare, network": lambda _, odd: ns.prepare(odd, backend="reference"),
    "simulate": lambda _, odd: ns.simulate(network(), odd, backend="reference"),
}


@pytest.fixture(scope="module")
def run() -> ns.Run:
    return prepared("reference", 5)


@pytest.mark.parametrize("verb", VERBS)
def test_odd_arguments_are_refused_by_our_errors_and_change_nothing(run, verb):
    before = states(run)
    for odd in ODD.values():
        with pytest.raises(NeurosimError):
            VERBS[verb](run, odd)
    assert same(states(run), before) and run.step == 5


@pytest.mark.parametrize("odd", [None, 0.5, "x", b"x", [0], np.zeros(2), 10**30])
def test_odd_samples_and_neurons_of_edges_are_refused(run, odd):
    plastic = run.result()["plastic"]
    with pytest.raises(NeurosimError, match="sample .* of 1. Choose an earlier one"):
        plastic.edges("w", odd)
    with pytest.raises(NeurosimError, match="between: found source = .*expected the index of a"):
        plastic.between(odd, 0)


@pytest.mark.parametrize("late", [2**31 - 5, 2**32 - 5, 2**52])
def test_steps_beyond_32_bits_are_those_of_the_reference(backend, late):
    """Spikes in flight, tables, draws and traces: the run begins just before the limit."""
    if backend == "brian":
        pytest.skip("its own clock counts time in float64")
    runs = []
    for name in ("reference", backend):
        snapshot = prepared(name, 20).snapshot()
        run = prepared(name)
        arrays = run.memory.moved(snapshot.arrays, late - snapshot.step)
        run.restore(replace(snapshot, arrays=arrays, step=late), clock=True)
        run.run("10 ms", progress=False)
        runs.append(run)
    one, other = runs
    assert same(states(one), states(other))
    assert one.result()["cells"] == other.result()["cells"]
    assert one.step == late + 20 and len(one.result()["cells"].spikes) > 5


# The draws of a run need more than the estimate knows: a connector of one's own is greedy.
GREEDY = """
import dataclasses, resource
import numpy as np
import neurosim as ns
from neurosim.models import cells

@dataclasses.dataclass
class Greedy:
    def count(self, n_source, n_target, *, recurrent): return ns.EdgeCount(10)
    def connect(self, stream, sources, targets, *, recurrent): return np.ones(2 << 30)
    def show(self): return "greedy"

net = ns.Network("greedy", dt="1 ms")
a = net.population("a", 10, cells.lif_delta())
net.project(a, a, Greedy(), weight=1)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
try:
    ns.prepare(net, backend="BACKEND")
except ns.NetworkError as error:
    print(isinstance(error.__cause__, MemoryError), error)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_memory_that_runs_out_while_a_run_is_prepared_names_the_estimate(backend):
    code = GREEDY.replace("BACKEND", backend)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True")
    assert "memory ran out before the run began: network 'greedy' needs about" in done.stdout
    assert "The largest items are" in done.stdout


LIMITED = """
import resource
import neurosim as ns
from neurosim.backend import free_memory
before = free_memory.available()
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
assert free_memory.available() < min(before, 4 << 30)
net = ns.Network("large", dt="1 ms")
cells = net.population("cells", 100_000, ns.Cell("v : 1", receives={"x": ns.Port("1", into="v")}))
net.project(cells, cells, ns.fixed_outdegree(5000), weight=ns.uniform(0, 1))
try:
    ns.prepare(net, backend="reference")
except ns.NetworkError as error:
    print(error)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_the_limit_of_a_user_is_known_to_the_estimate_of_memory():
    """500 million edges take 5 GB, and ``ulimit -v`` leaves less than 4 GiB."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "network 'large' needs about" in done.stdout and "are available" in done.stdout


SELF_USES = {
    "population": lambda net, a: net.population("b", 3, cells.lif(), self=3),
    "project": lambda net, a: net.project(a, a, ns.one_to_one(), weight=1, self=3),
    "following": lambda net, a: cells.lif().following(self="1 * t"),
    "reading": lambda net, a: plasticity.stdp().reading(self=a["v"]),
    "set": lambda net, a: ns.prepare(net, backend="reference").set(a, self=3),
}


@pytest.mark.parametrize("use", SELF_USES.values(), ids=SELF_USES)
def test_self_is_a_name_like_any_other_for_values(use):
    net = ns.Network("names", dt="1 ms")
    with pytest.raises(ns.NeurosimError, match="'self'"):
        use(net, net.population("a", 3, cells.lif()))


def test_a_parameter_may_be_called_self():
    net = ns.Network("names", dt="1 ms")
    own = ns.Cell("dv/dt = -self * v : 1", parameters={"self": "1 1/s"})
    a = net.population("a", 3, own, self="2 1/s")
    run = ns.prepare(net, backend="reference")
    assert run.get(a, "self") == 2
    run.set(a, self="3 1/s")
    assert run.get(a, "self") == 3
