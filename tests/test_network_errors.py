"""Every message of networks, read for its four parts; and a call that fails leaves the network as it was."""

from __future__ import annotations

import numpy as np
import pytest
from messages import parts

import neurosim as ns
from neurosim import Cell, LoweringError, ModelError, Network, NetworkError, Parameter, Port, Rule

NAN, INF = float("nan"), float("inf")
LIF = Cell("dv/dt = -v / tau : mV", parameters={"tau": "10 ms", "theta": "1 mV"}, receives={"in": Port("mV", into="v")}, spike="v > theta",
           after_spike="v = 0", name="lif")
PAUSING = Cell("v : mV", parameters={"pause": "1 ms"}, spike="v > 1*mV", refractory="pause", name="pausing")
TWO_PORTS = Cell("v : mV", receives={"ex": Port("mV", into="v"), "inh": Port("mV", into="v")})
PULSE = Cell("dv/dt = (p - v) / ms : mV", receives={"p": Port("mV")}, name="rate")
STDP = Rule(pre="dx/dt = -x / tau : 1", edge="w : mV", handlers=[("pre", "out += w; x += 1")], parameters={"tau": "10 ms"}, name="stdp")
VALUED = Rule(edge="w : mV", handlers=[("pre", "out += w + e")], parameters={"e": Parameter("mV", 1.0, per="edge")}, name="valued")
OTHER = Network("other", dt="0.1 ms")
STRANGER = OTHER.population("a", 4, LIF)


def network() -> Network:
    net = Network("net", dt="0.1 ms")
    a, b = net.population("a", 4, LIF), net.population("b", 3, LIF)
    net.spike_source("s", 2, steps=[[1], [2]])
    net.population("two", 1, TWO_PORTS)
    net.population("pulse", 1, PULSE)
    net.project(a, b, ns.all_to_all(), weight=1.0, delay="1 ms", rule=STDP, name="first")
    net.project(a, b, ns.all_to_all(), weight=1.0, delay=ns.uniform(0, 1), round_delays=True, dendritic_fraction=0, rule=STDP,
        name="spread")
    net.project(a, b, ns.all_to_all(), weight=1.0, rule=VALUED, name="valued")
    net.poisson_drive(a, rate=5, weight=0.1, name="drive")
    net.record(a, "v")
    return net


def contents(net: Network) -> tuple:
    return (net.dt, net.seed, list(net.populations.items()), list(net.projections.items()), list(net.inputs), list(net.probes))


def refused(act, *message: str, error: type[Exception] = NetworkError) -> None:
    net = network()
    before = contents(net)
    with pytest.raises(error, match=parts(*message)):
        act(net)
    assert contents(net) == before


def gain(reference) -> Rule:
    return Rule(edge="w : mV", parameters={"gain": "1 mV"}, handlers=[("pre", "out += gain")]).reading(gain=reference)


def sided(per: str) -> Rule:
    return Rule(edge="w : mV", handlers=[("pre", "out += a * w")], parameters={"a": Parameter("1", [1, 2], per=per)})


def project(source="a", target="b", connector=None, weight=1.0, **given):
    """Return an act that projects; names stand for populations of the network."""
    def act(net: Network):
        ends = [net[end] if isinstance(end, str) else end for end in (source, target)]
        given_here = {key: value(net) if callable(value) else value for key, value in given.items()}
        return net.project(*ends, ns.all_to_all() if connector is None else connector, weight=weight, **given_here)
    return act


def populate(cell=LIF, size=2, **values):
    return lambda net: net.population("p", size, cell, **values)


NETWORKS = {
    "a name with a digit first": (lambda: Network("1x", dt=1), "network name: found '1x'", "expected letters, digits",
        "Choose another name."),
    "a name that is no text": (lambda: Network(3, dt=1), "network name: found 3", "expected letters", "Choose another name."),
    "a dt of 0": (lambda: Network("n", dt=0), "network 'n', dt: found 0", "expected one time above 0 ms.", "Give it such as"),
    "a negative dt": (lambda: Network("n", dt="-1 ms"), "network 'n', dt: found '-1 ms'", "expected one time above 0 ms."),
    "a dt that is NaN": (lambda: Network("n", dt=NAN), "dt: found nan", "expected one time above 0 ms."),
    "an infinite dt": (lambda: Network("n", dt="1e999 ms"), "dt: found '1e999 ms'", "expected one time above 0 ms."),
    "several dt": (lambda: Network("n", dt=[1]), "dt: found [1]", "expected one time above 0 ms."),
    "no dt": (lambda: Network("n", dt=None), "dt: None is not a quantity.", "Give a number"),
    "a dt in mV": (lambda: Network("n", dt="1 mV"), "dt: '1 mV' is a voltage (mV)", "but a time (ms) is expected.", "Give it in ms."),
    "a negative seed": (lambda: Network("n", dt=1, seed=-1), "network 'n', seed: found -1", "expected a whole number of at least 0.",
        "Change it."),
    "a seed that is not whole": (lambda: Network("n", dt=1, seed=1.5), "seed: found 1.5", "expected a whole number"),
    "a probability above 1": (lambda: ns.fixed_probability(1.5), "fixed_probability: p is 1.5", "expected a number from 0 to 1."),
    "a probability that is NaN": (lambda: ns.fixed_probability(NAN), "fixed_probability: p is nan", "expected a number from 0 to 1."),
    "a table with NaN": (lambda: ns.table([1, NAN], every=1), "table: found a value that is not finite", "expected numbers.",
        "Replace NaN and infinity."),
    "an empty table": (lambda: ns.table([], every=1), "table: found values of shape (0,)",
        "expected (T,) or (T, N) with at least one row.", "Reshape them."),
    "a table of three dimensions": (lambda: ns.table(np.zeros((1, 1, 1)), every=1), "found values of shape (1, 1, 1)",
        "expected (T,) or (T, N)"),
    "a table of text": (lambda: ns.table("abc", every=1), "table: values: 'abc' is not a quantity.", "Write a number"),
}

POPULATIONS = {
    "a population of no neurons": (populate(size=0), "population 'p', size: found 0", "expected a whole number of at least 1",
        "Change it."),
    "a negative size": (populate(size=-1), "population 'p', size: found -1", "expected a whole number of at least 1"),
    "a size that is not whole": (populate(size=2.0), "size: found 2.0", "expected a whole number"),
    "more neurons than an engine can number": (populate(size=10**12), "size: found 1000000000000", "at most 2147483647.", "Change it."),
    "a name in use": (lambda net: net.population("a", 1, LIF), "population 'a': the name is in use in network 'net'.",
        "Choose another with name=..., every name once."),
    "a name with a space": (lambda net: net.population("p q", 1, LIF), "population name: found 'p q'", "expected letters, digits",
        "Choose another name."),
    "no cell": (lambda net: net.population("p", 1, "lif"), "population 'p': found 'lif', expected a Cell.", "Make one with ns.Cell"),
    "an unknown parameter": (populate(tua=3), "population 'p' (lif) has no parameter or state 'tua'.", "Did you mean 'tau'?",
        "are: tau, theta, v."),
    "a parameter of another unit": (populate(tau="3 mV"), "population 'p', tau: '3 mV' is a voltage (mV)", "but a time (ms) is expected.",
        "Give it in ms."),
    "a parameter that is NaN": (populate(tau=[1, NAN]), "population 'p', tau: found a value that is not finite (NaN or infinity)",
        "expected finite numbers.", "Replace it."),
    "an infinite parameter": (populate(tau="1e999 ms"), "tau: found a value that is not finite", "Replace it."),
    "an array of another length": (populate(tau=[1, 2, 3]), "tau: found an array of shape (3,)",
        "expected a number or an array of length 2 (one per neuron).", "Reshape it."),
    "an array of two dimensions": (populate(tau=[[1, 2]]), "tau: found an array of shape (1, 2)", "of length 2 (one per neuron).",
        "Reshape it."),
    "an array of another length in the cell": (populate(Cell("v : 1", parameters={"a": Parameter("1", [1, 2, 3])})),
        "population 'p', a: found an array of shape (3,)",
                                               "of length 2 (one per neuron)."),
    "a parameter that is nothing": (populate(tau=None), "population 'p', tau: None is not a quantity.", "Give a number"),
    "an expression of another unit": (populate(tau="theta + i*mV"), "population 'p', tau: 'theta + i*mV' is a voltage (mV)",
        "but a time (ms) is expected.",
                                      "Multiply or divide it by what is missing."),
    "an expression over unknown names": (populate(tau="foo + 1"), "population 'p', tau: there is no name 'foo'.",
        "The names are: N, i, tau, theta, v."),
    "an initial value over time": (populate(v="t*mV/ms"), "population 'p', v: 't * mV / ms' depends on time (t)",
        "expected a value for the whole run."),
    "a draw within a text": (populate(tau="uniform()*ms"), "'uniform() * ms' depends on a random draw",
        "expected a value for the whole run.", "a name of its own."),
    "positions that were not given": (populate(tau="x + 1"), "there is no name 'x'.", "The names are:"),
    "values in a circle": (populate(tau="theta*ms/mV", theta="tau*mV/ms"), "population 'p': tau, theta are written in a circle",
        "expected one with a value."),
    "a circle through the cell": (populate(Cell("v : 1", parameters={"a": "2*b", "b": 1}), b="a + 1"),
        "population 'p': a, b are written in a circle"),
    "an expression over a table": (populate(v="theta * 2", theta=ns.table([1.0], every=1)),
        "population 'p', v: its expression reads theta, a table over time",
                                   "expected values for the whole run.", "Write it in an equation of the cell."),
    "a draw that nothing reads": (populate(rho=ns.uniform(0, 1)), "has no parameter or state 'rho'.",
        "A draw of another name must be read by an expression."),
    "a draw of another unit": (populate(tau=ns.uniform("1 mV", "2 mV")),
        "tau, uniform(low=1 mV, high=2 mV): low: '1 mV' is a voltage (mV)", "a time (ms) is expected."),
    "a draw of arrays": (populate(tau=ns.uniform([1, 2], 3)), "low is [1, 2]", "expected one finite number.", "Correct it."),
    "a table for a state": (populate(v=ns.table([1, 2], every="1 ms")), "population 'p', v: found a table",
        "expected a number, array or draw: 'v' is a state.",
                            "Make it a parameter."),
    "a table between the steps": (populate(tau=ns.table([1, 2], every="0.15 ms")),
        "population 'p', tau: every 0.15 ms is not a multiple of dt (0.1 ms).",
                                  "Use 0.1 ms or 0.2 ms or a smaller dt."),
    "a table of another width": (populate(tau=ns.table([[1, 2, 3]], every="1 ms")), "tau: found a table of shape (1, 3)",
        "expected (T,) or (T, 2).", "Reshape it."),
    "a table of another unit": (populate(tau=ns.table([1], every=1, unit="mV")), "tau: the table is a voltage (mV)",
        "but a time (ms) is expected.", "Give it in ms."),
    "rows of no time": (populate(tau=ns.table([1], every=0)), "tau, every: found 0", "expected one time above 0 ms."),
    "positions of another shape": (populate(positions=[[1, 2]]), "population 'p': found positions of shape (1, 2)",
        "expected (2, 3), all finite.", "Reshape them."),
    "positions that are text": (populate(positions="abc"), "population 'p', positions: 'abc' is not a quantity.", "Write a number"),
    "a refractory time between the steps": (populate(PAUSING, pause="0.25 ms"),
        "population 'p': refractory time 0.25 ms is not a multiple of dt (0.1 ms).",
                                            "Use 0.2 ms or 0.3 ms or a smaller dt."),
    "a negative refractory time": (populate(PAUSING, pause=[1, -1]), "population 'p': refractory time (ms): found -1",
        "expected 0 or more.", "Correct it."),
    "a refractory time over time": (populate(PAUSING, pause=ns.table([1], every=1)), "refractory time: found a table",
        "expected a number, array or draw.", "run.set"),
}

SOURCES = {
    "a negative rate": (lambda net: net.poisson("p", 2, rate=-1), "population 'p', rate: found -1", "expected 0 or more.", "Correct it."),
    "a negative rate in a table": (lambda net: net.poisson("p", 2, rate=ns.table([5, -1], every=1)), "population 'p', rate: found -1",
        "expected 0 or more."),
    "a rate that may be negative": (lambda net: net.poisson("p", 2, rate=ns.normal(5, 1)),
        "rate: found normal(mean=5, sd=1), which can fall outside",
                                    "expected 0 or more.", "Bound the draw with low= and high="),
    "a rate in mV": (lambda net: net.poisson("p", 2, rate="5 mV"), "rate: '5 mV' is a voltage (mV)", "but a rate (Hz) is expected.",
        "Give it in Hz."),
    "rates of another length": (lambda net: net.poisson("p", 2, rate=[1, 2, 3]), "rate: found an array of shape (3,)",
        "of length 2 (one per neuron)."),
    "a source of no neurons": (lambda net: net.poisson("p", 0, rate=1), "population 'p', size: found 0", "at least 1"),
    "a probability above 1": (lambda net: net.bernoulli("p", 2, p=2), "population 'p', p: found 2", "expected 0 to 1.", "Correct it."),
    "a probability below 0": (lambda net: net.bernoulli("p", 2, p=[-0.1, 0.5]), "population 'p', p: found -0.1", "expected 0 to 1."),
    "a probability that is NaN": (lambda net: net.bernoulli("p", 2, p=NAN), "p: found a value that is not finite",
        "expected finite numbers."),
    "a table of probabilities above 1": (lambda net: net.bernoulli("p", 2, p=ns.table([0.5, 2], every=1)), "p: found 2",
        "expected 0 to 1."),
    "a drawn probability above 1": (lambda net: net.bernoulli("p", 2, p=ns.uniform(0, 2)),
        "p: found uniform(low=0, high=2), which can fall outside", "expected 0 to 1."),
    "a probability that is an object": (lambda net: net.bernoulli("p", 2, p=object()), "p: an object", "is not a quantity."),
    "both times and steps": (lambda net: net.spike_source("p", 1, times=[[1]], steps=[[1]]),
        "population 'p': expected either times= or steps=, found both.", "Give one."),
    "spikes of too few neurons": (lambda net: net.spike_source("p", 2, times=[[1]]), "found spikes of 1 neurons",
        "expected a list for each of 2, or (indices, times).",
                                  "Give an empty list to a silent neuron."),
    "spikes that are text": (lambda net: net.spike_source("p", 2, times="abc"), "population 'p': found 'abc'",
        "expected a list for each of 2"),
    "spikes that are a number": (lambda net: net.spike_source("p", 2, times=5), "population 'p': found 5", "expected a list for each of 2"),
    "spikes that are no times": (lambda net: net.spike_source("p", 2, times=[[1], ["a"]]),
        "population 'p', neuron 1: ['a'] is not a quantity.", "Give a number"),
    "a spike at 0": (lambda net: net.spike_source("p", 1, times=[[0]]),
        "found a spike at 0 ms; the first possible time is dt (0.1 ms), the end of step 0.",
                     "Use 0.1 ms, or steps=."),
    "a spike between the steps": (lambda net: net.spike_source("p", 1, times=[[0.15]]),
        "spike time 0.15 ms is not a multiple of dt (0.1 ms).", "Use 0.1 ms or 0.2 ms"),
    "a spike at infinity": (lambda net: net.spike_source("p", 1, times=[[INF]]), "spike time: found inf ms", "expected less than",
        "Use a shorter time."),
    "a spike that is NaN": (lambda net: net.spike_source("p", 1, times=[[NAN]]), "found a spike at nan ms", "Use 0.1 ms, or steps=."),
    "a neuron that is not there": (lambda net: net.spike_source("p", 2, times=([5], [1])), "found a neuron index outside 0 ... 1",
        "expected whole indices below 2.",
                                   "Correct the indices."),
    "half a neuron": (lambda net: net.spike_source("p", 2, times=([0.5], [1])), "found a neuron index outside 0 ... 1",
        "expected whole indices"),
    "a negative step": (lambda net: net.spike_source("p", 1, steps=[[-1]]), "found a step that is negative or not whole",
        "expected 0, 1, 2, ...", "Correct the steps."),
    "half a step": (lambda net: net.spike_source("p", 1, steps=[[0.5]]), "found a step that is negative or not whole",
        "expected 0, 1, 2, ..."),
    "a step that is text": (lambda net: net.spike_source("p", 1, steps=([0], ["a"])), "population 'p', steps: ['a'] is not a quantity."),
    "two spikes in one step": (lambda net: net.spike_source("p", 1, steps=[[1, 1]]), "neuron 0 has two spikes in step 1",
        "expected at most one.", "Remove one."),
    "more indices than spikes": (lambda net: net.spike_source("p", 2, steps=([0, 1], [1])),
        "found indices of shape (2,) and spikes of shape (1,)",
                                 "expected as many of both", "Correct one of them."),
    "a name in use": (lambda net: net.spike_source("a", 2), "population 'a': the name is in use in network 'net'.", "Choose another"),
    "a drive with a negative rate": (lambda net: net.poisson_drive(net["a"], rate=-1, weight=1, name="d"),
        "drive 'd' (-> a), rate: found -1", "expected 0 or more."),
    "a drive of no trains": (lambda net: net.poisson_drive(net["a"], n=0, rate=1, weight=1, name="d"), "drive 'd' (-> a), n: found 0",
        "at least 1", "Change it."),
    "a drive in nA": (lambda net: net.poisson_drive(net["a"], rate=1, weight="1 nA", name="d"),
        "drive 'd' (-> a), weight: '1 nA' is a current (nA)",
                      "but a voltage (mV) is expected.", "Give it in mV."),
    "a drive onto an unknown port": (lambda net: net.poisson_drive(net["a"], rate=1, weight=1, port="inn", name="d"),
        "cell 'lif' has no port 'inn'.", "Did you mean 'in'?"),
    "a drive onto a source": (lambda net: net.poisson_drive(net["s"], rate=1, weight=1, name="d"), "drive 'd' (-> s): no port given",
        "ports: none.", "Give port=..."),
    "a drive over time": (lambda net: net.poisson_drive(net["a"], rate=ns.table([1], every=1), weight=1, name="d"),
        "rate: found a table over time",
                          "expected a number, array or draw.", "Only parameters of populations can be tables"),
    "a drive of a name in use": (lambda net: net.poisson_drive(net["a"], rate=1, weight=1, name="drive"),
        "drive 'drive': the name is in use", "Choose another"),
}

PROJECTIONS = {
    "no source": (project(source=None), "source: found None", "expected a population of this network or a view of one.",
        "Give what net.population returned."),
    "a source of another network": (project(source=STRANGER), "source: population 'a' belongs to another network.",
        "Use one of: a, b, s, two, pulse."),
    "a target that is a projection": (project(target="first"), "target: found <projection 'first'", "expected a population"),
    "no connector": (project(connector="all"), "projection 'a->b.in' (a -> b): found 'all', expected a connector such as ns.all_to_all().",
        "Give one third."),
    "an unknown port": (project(port="inn"), "projection 'a->b.inn' (a -> b): cell 'lif' has no port 'inn'.", "Did you mean 'in'?",
        "The ports are: in."),
    "a port that is no text": (project(port=5), "cell 'lif' has no port 5.", "The ports are: in."),
    "a target without ports": (project(target="s"), "projection 'a->s' (a -> s): no port given",
        "expected one of given spikes's ports: none.", "Give port=..."),
    "one of two ports": (project(target="two"), "projection 'a->two' (a -> two): no port given", "ports: ex, inh.", "Give port=..."),
    "a name in use": (project(name="first"), "projection 'first': the name is in use in network 'net'.",
        "Choose another with name=..., every name once."),
    "a name of a population": (project(name="a"), "projection 'a': the name is in use", "Choose another"),
    "a name that is a path": (project(name="../.."), "projection name: found '../..'", "expected letters", "Choose another name."),
    # weights
    "no weight": (project(weight=None), "no weight given", "expected a voltage (mV).", "Give weight=..."),
    "a weight in nA": (project(weight="1 nA"), "projection 'a->b.in' (a -> b), weight: '1 nA' is a current (nA)",
        "but a voltage (mV) is expected.", "Give it in mV."),
    "a weight that is NaN": (project(weight=NAN), "weight: found a value that is not finite (NaN or infinity)", "expected finite numbers.",
        "Replace it."),
    "infinite weights": (project(weight=[INF] * 12), "weight: found a value that is not finite", "Replace it."),
    "too few weights": (project(weight=[1.0] * 5), "weight: found an array of shape (5,)", "of length 12 (one per edge).", "Reshape it."),
    "a matrix of weights": (project(weight=np.ones((4, 3))), "weight: found an array of shape (4, 3)", "of length 12 (one per edge).",
        "Reshape it."),
    "a drawn weight in nA": (project(weight=ns.uniform("1 nA", "2 nA")),
        "weight, uniform(low=1 nA, high=2 nA): low: '1 nA' is a current (nA)"),
    "weights over time": (project(weight=ns.table([1], every=1)), "weight: found a table over time",
        "Only parameters of populations can be tables"),
    "weights as an expression": (project(weight="1*mV + 2*mV"), "weight: '1*mV + 2*mV' is not a quantity.",
        "Write a number and a unit, such as '20 mV'."),
    "a weight for a rule without one": (project(rule=Rule(edge="z : 1", handlers=[("pre", "z = 1")], name="r")),
        "found weight=1.0, but rule 'r' has no edge variable 'w'",
                                        "Leave the weight out."),
    # delays
    "a negative delay": (project(delay=-1), "projection 'a->b.in' (a -> b): delay -1 ms is negative", "expected 0 ms or more.",
        "Correct it."),
    "a delay between the steps": (project(delay="0.25 ms"), "delay 0.25 ms is not a multiple of dt (0.1 ms).",
        "Use 0.2 ms or 0.3 ms, a smaller dt, or round_delays=True."),
    "a delay in mV": (project(delay="1 mV"), "delay: '1 mV' is a voltage (mV)", "but a time (ms) is expected."),
    "a delay that is NaN": (project(delay=NAN), "delay: found a value that is not finite"),
    "too few delays": (project(delay=[0.1, 0.2]), "delay: found an array of shape (2,)", "of length 12 (one per edge)."),
    "a drawn delay without rounding": (project(delay=ns.uniform(0, 1)),
        "delay drawn from uniform(low=0, high=1) is in general no multiple of dt (0.1 ms).",
                                       "Give round_delays=True."),
    "a drawn delay below 0": (project(delay=ns.normal(1, 1), round_delays=True), "delay drawn from normal(mean=1, sd=1) can be negative",
        "expected 0 ms or more.",
                              "Give low='0 ms' or a larger bound."),
    "a fraction above 1": (project(delay=1, dendritic_fraction=2), "found dendritic_fraction 2", "expected one number from 0 to 1.",
        "Correct it."),
    "a fraction that is text": (project(delay=1, dendritic_fraction="a"), "dendritic_fraction: 'a' is not a quantity."),
    "a part of a delay between the steps": (project(delay="0.1 ms", dendritic_fraction=0.5, rule=STDP),
        "a part of the delay (dendritic_fraction 0.5) 0.05 ms is not",
                                            "Use 0 ms or 0.1 ms"),
    "a negative way back": (project(rule=STDP, back=-1), "back -1 ms is negative", "expected 0 ms or more."),
    "a way back between the steps": (project(rule=STDP, back=0.15), "back 0.15 ms is not a multiple of dt", "round_delays=True."),
    # wiring
    "one to one of unequal sizes": (project(connector=ns.one_to_one()),
        "projection 'a->b.in' (a -> b): one to one: there are 4 sources and 3 targets",
                                    "expected as many", "Join views of equal size"),
    "an edge from no neuron": (project(connector=ns.from_arrays([9], [0])),
        "sources holds 9, but the view has 4 neurons: expected 3 or less.", "from 0."),
    "a pulse into a derivative": (project(target="pulse"),
        "projection 'a->pulse.p' (a -> pulse): spikes into port 'p' of cell 'rate', which jumps no state",
                                  "a pulse whose area would depend on dt.", "Give the port into=..., write the cell with step=..."),
    # rules
    "a rule that is none": (project(rule="stdp"), "projection 'a->b.in' (a -> b): found rule 'stdp', expected a Rule.",
        "Make one with ns.Rule"),
    "an unknown parameter": (project(rule=STDP, tua=3), "has no parameter or variable 'tua'.", "Did you mean 'tau'?", "are: tau, x."),
    "a value without a rule": (project(tau=3), "has no parameter or variable 'tau'.", "It has no parameter or variables at all."),
    "a time constant of zero": (project(rule=STDP, tau=0), "projection 'a->b.in' (a -> b), tau: found 0 ms", "expected more than 0 ms.",
        "Give a positive time."),
    "an array for one value": (project(rule=STDP, tau=[1, 2]), "tau: found an array", "expected one value.",
        "Declare the parameter with Parameter(..., per="),
    "a table for a rule": (project(rule=STDP, tau=ns.table([1], every=1)), "tau: found a table over time", "a rule can link to them."),
    "too few values per source": (project(rule=STDP, x=[1, 2]), "x: found an array of shape (2,)", "of length 4 (one per source)."),
    "too few values per edge in the rule": (project(rule=sided("edge")),
                                            "a: found an array of shape (2,)", "of length 12 (one per edge)."),
    "too few values per source in the rule": (project(rule=sided("source")),
                                              "a: found an array of shape (2,)", "of length 4 (one per source)."),
    # links
    "a link to a number": (project(rule=lambda net: gain(5)), "link 'gain': found 5", "expected a state such as population['v']"),
    "a link to another network": (project(rule=lambda net: gain(STRANGER["v"])),
        "link 'gain': 'a' is no population or earlier projection of this network.", "Add it before"),
    "a link without a way": (project(rule=lambda net: gain(net["a"]["v"])), "link 'gain': 'v' of 'a' has 4 values, expected 1.",
                             "Say which one an edge reads: .by('source'), .by('target') or .by(indices)."),
    "a link by a side of another size": (project(rule=lambda net: gain(net["b"]["v"].by("source"))), "'v' of 'b' has 3 values",
        "expected one for each of 4 source neurons.",
                                         "Link to as many, or give .by(indices)."),
    "a link to no neuron": (project(rule=lambda net: gain(net["a"]["v"].by([9] * 12))), "found an index outside 0 ... 3",
        "expected indices of 'a'.", "Correct the index array."),
    "a link with too few indices": (project(rule=lambda net: gain(net["a"]["v"].by([0]))), "link 'gain': found an array of shape (1,)",
        "of length 12 (one per edge)."),
    "a link to a trace that is split by delays": (project(rule=lambda net: gain(net["spread"]["x"].by("source"))), "link 'gain': 'x'",
                                                  "has one value per neuron and delay of 'spread'", "expected one per neuron.",
                                                      "Give the edges of that projection one delay."),
    "a link to another unit": (project(rule=lambda net: gain(net["a"]["tau"].by("source"))),
        "projection 'a->b.in' (a -> b), link 'gain': 'tau' of 'a' is a time (ms), but a voltage (mV) is expected",
        "as of the parameter that it replaces.", "Link to a value of that unit."),
    "a slice of a projection": (lambda net: net["first"][:2], "projection 'first': found [slice(None, 2, None)], expected the name of a variable",
        "no views.", "Record some of the edges with record(..., edges=[...]); set them all, with one value per edge."),
    "a link to one value per edge": (project(rule=lambda net: gain(net["valued"]["e"])), "link 'gain': 'e' has one value per edge of 'valued'",
        "expected a value per neuron.", "Link to a pre or post variable."),
    "a link to an unknown state": (lambda net: net["a"]["vv"], "population 'a' has no state or parameter 'vv'.", "Did you mean 'v'?"),
    "a link to an edge variable": (lambda net: net["first"]["w"], "projection 'first' has no pre or post variable 'w'.", "are: tau, x."),
    "a link by a word": (lambda net: net["a"]["v"].by("src"), "link to 'v': .by() found 'src'",
        "expected 'source', 'target' or an index array.", "Give one of these."),
    "a link by fractions": (lambda net: net["a"]["v"].by([0.5]), "link to 'v': .by() found an array of float64",
        "expected one whole index for each edge.", "Give whole"),
}

VIEWS = {
    "no neuron": (lambda net: net["a"][4:], "view of population 'a': slice(4, None, None) selects no neuron",
        "expected at least one of 4.", "Change the selection."),
    "an empty list": (lambda net: net["a"][[]], "[] selects no neuron", "expected at least one of 4."),
    "a neuron that is not there": (lambda net: net["a"][7], "view of population 'a': 7 does not select from 4 neurons",
        "Use a slice, a mask of that length, or indices below it."),
    "a mask of another length": (lambda net: net["a"][[True, False]], "does not select from 4 neurons", "Use a slice"),
    "a neuron twice": (lambda net: net["a"][[0, 0]], "[0, 0] selects a neuron twice", "expected each neuron once.",
        "Remove the repeated ones."),
    "fractions": (lambda net: net["a"][[0.0, 1.0]], "does not select from 4 neurons (neither a slice, nor a mask, nor whole numbers",
        "Use a slice"),
    "a truth": (lambda net: net["a"][True], "True does not select from 4 neurons", "Use a slice"),
    "an object": (lambda net: net["a"][object()], "does not select from 4 neurons", "Use a slice"),
    "two dimensions": (lambda net: net["a"][[[0, 1], [2, 3]]], "does not select from 4 neurons", "Use a slice"),
}

PROBES = {
    "nothing": (lambda net: net.record(net["a"]), "record: found no variable", "expected 'spikes' or names of states.",
        "Name what to record."),
    "an unknown state": (lambda net: net.record(net["a"], "vv"), "record: population 'a' has no state 'vv'.", "Did you mean 'v'?",
        "The states are: spikes, v."),
    "a state and what is none": (lambda net: net.record(net["b"], "v", "tau"), "record: population 'b' has no state 'tau'.",
        "The states are: spikes, v."),
    "a state that is no text": (lambda net: net.record(net["b"], 5), "record: population 'b' has no state 5.", "The states are"),
    "a distance between the steps": (lambda net: net.record(net["b"], "v", every=0.15), "record: every 0.15 ms is not a multiple of dt",
        "Use 0.1 ms or 0.2 ms or a smaller dt."),
    "a distance of 0": (lambda net: net.record(net["b"], "v", every=0), "record, every: found 0", "expected one time above 0 ms."),
    "something twice": (lambda net: net.record(net["a"], "v"), "record: 'v' of", "is recorded already.",
        "Record all its members in one call."),
    "something twice in one call": (lambda net: net.record(net["b"], "v", "v"), "record: 'v' of", "is recorded already."),
    "another network": (lambda net: net.record(STRANGER, "v"), "record: population 'a' belongs to another network.",
        "Use one of: a, b, s, two, pulse."),
    "a name": (lambda net: net.record("a", "v"), "record: found 'a'", "expected a population of this network or a view of one."),
    "a drive": (lambda net: net.record(net["drive"], "rate"), "record: found <drive 'drive'", "expected a population"),
    "spikes of what never spikes": (lambda net: net.record(net["pulse"], "spikes"), "record: population 'pulse' (rate) never spikes",
                                   "expected one that does.", "Record one of its states: v."),
    "edges of a population": (lambda net: net.record(net["b"], "v", edges=[0]), "record: found edges= for population 'b'",
        "for projections only.", "Record a view"),
    "an edge that is not there": (lambda net: net.record(net["first"], "w", edges=[12]), "record: found edges [12]",
        "expected whole numbers from 0 to 11", "Correct edges."),
    "a negative edge": (lambda net: net.record(net["first"], "w", edges=[-1]), "record: found edges [-1]", "expected whole numbers"),
    "an unknown variable": (lambda net: net.record(net["first"], "spikes"), "record: projection 'first' has no variable 'spikes'.",
        "The variables are: w, x."),
    "a projection of another network": (lambda net: net.record(network()["first"], "w"), "projection 'first' belongs to another network",
        "expected one of network 'net'."),
    "an unknown name": (lambda net: net["frist"], "network 'net' has no population, projection or drive 'frist'.", "Did you mean 'first'?",
        "are: a, b, drive, first, pulse, s, spread, two, valued."),
}

# What a rule does with cells is known where the two meet.
BINDINGS = {
    "an unknown name": ("w : mV", "", [("pre", "w = v_pst")], "handler 'pre': there is no name 'v_pst'.", "Did you mean 'v_post'",
        "The names are:"),
    "a word of cells": ("w : mV", "", [("pre", "w = i * mV")], "there is no name 'i'.",
        "The names are: N_post, N_pre, dt, i_post, i_pre, t,"),
    "a delivery of another unit": ("w : nA", "", [("pre", "out += w")], "handler 'pre': 'out += w': 'w' is a current (nA)",
        "but a voltage (mV) is expected.", "Multiply"),
    "an assignment of another unit": ("w : mV", "", [("pre", "w = v_pre * v_post")], "'w = v_pre * v_post'", "is a quantity in mV**2",
        "a voltage (mV) is expected."),
    "noise": ("w : mV", "", [("pre", "w = xi * mV * ms**0.5")], "xi is noise in continuous time", "expected only in an equation",
        "Write normal()."),
    "a table": ("w : mV", "", [("pre", "w = tau(t) * mV / ms")], "there is no table 'tau'.",
        "Read it without (t), or make it a parameter of a cell."),
    "an assignment to a shared variable": ("w : mV", "y : 1", [("pre", "y = 1")],
        "handler 'pre': 'y = 1': its result would depend on the order of edges",
                                           "several edges share one 'y' per target neuron, and '=' would keep the last edge's value.",
                                           "Add with '+=' an expression that does not read 'y',",
                                           "or read only what belongs to the target side in a 'post' or 'step' handler."),
    "an edge assigned to a neuron": ("w : mV", "y : mV", [("step", "y = w")], "'y = w': its result would depend on the order of edges",
        "Add with '+='"),
    "a factor from edges": ("w : mV", "y : 1", [("step", "y *= w / mV")], "'y *= w / mV': its result would depend on the order of edges",
        "Add with '+='"),
    "a sum that reads what it adds to": ("w : mV", "y : mV", [("step", "y += w * y / mV")],
        "its result would depend on the order of edges: it reads the variable that edges add to",
                                         "Add with '+=' an expression that does not read 'y'"),
    "the other side": ("w : mV", "y : mV", [("step", "y = v_pre")], "'y = v_pre': its result would depend on the order of edges",
        "read only what belongs to the target side."),
    "a delivery on a signal": ("w : mV", "", [("night", "out += w")],
        "handler 'night': 'out += w': a signal acts between steps and cannot deliver.",
                               "Deliver in a 'pre', 'post' or 'step' handler."),
    "a difference from edges": ("w : mV", "y : mV", [("pre", "y -= w + v_pre")],
        "handler 'pre': 'y -= w + v_pre': found '-=', expected '+=' where several edges share one 'y' per target neuron.",
        "Write 'y += -(w + v_pre)'."),
    "a variable of the rule with an end": ("w : mV", "y : mV", [("pre", "w = y_post")],
        "handler 'pre': there is no name 'y_post', expected what belongs to the rule by its own name, without '_post'.", "Write 'y'."),
    "a state without its end": ("w : mV", "", [("pre", "w = v")], "handler 'pre': there is no name 'v'.", "The names are:",
        "What belongs to a cell is named with its end.", "Write 'v_pre' or 'v_post'."),
    "a variable named like a state at an end": ("w : mV; v_pre : 1", "", [("pre", "out += w")],
        "rule 'r' defines 'v_pre', which is 'v' of the source cell already", "expected each name once.",
                                                "Rename it in the rule."),
    "a variable named like a word": ("w : mV; i_post : 1", "", [("pre", "out += w")], "rule 'r' defines 'i_post', which is a word of the language already",
        "Rename it in the rule."),
}


def names(prefix: str, cases: dict) -> list[str]:
    return [f"{prefix}: {name}" for name in cases]


@pytest.mark.parametrize("case", NETWORKS.values(), ids=NETWORKS)
def test_what_is_wrong_before_there_is_a_network_is_refused(case):
    make, *message = case
    with pytest.raises(NetworkError, match=parts(*message)):
        make()


@pytest.mark.parametrize("case", [*POPULATIONS.values(), *SOURCES.values(), *PROJECTIONS.values(), *VIEWS.values(), *PROBES.values()],
                         ids=[*names("population", POPULATIONS), *names("source", SOURCES), *names("projection", PROJECTIONS),
                             *names("view", VIEWS),
                              *names("record", PROBES)])
def test_what_is_wrong_is_refused_at_its_line_and_changes_nothing(case):
    act, *message = case
    refused(act, *message, error=(NetworkError, ModelError))


@pytest.mark.parametrize("case", BINDINGS.values(), ids=BINDINGS)
def test_a_rule_that_does_not_fit_its_cells_is_refused_where_they_meet(case):
    edge, post, handlers, *message = case
    rule = Rule(edge=edge, post=post, handlers=handlers, parameters={"tau": "10 ms"}, name="r")
    refused(project(rule=rule), "projection 'a->b.in' (a -> b)", *message, error=ModelError)


def test_the_check_that_nothing_changed_sees_a_change():
    with pytest.raises(AssertionError):
        refused(lambda net: (net.population("p", 1, LIF), net.population("p", 1, LIF)), "is in use")


# ---- what an open run refuses, and what the report says of rules


@pytest.mark.parametrize(("values", "message"), [
    ({"delay": "1 ms"}, ("projection 'first' has no state, parameter or variable 'delay'.", "are: tau, w, x.",
                         "Delays are fixed when a run is prepared:", "give another to net.project, and prepare again.")),
    ({"back": 1}, ("projection 'first' has no state, parameter or variable 'back'.", "Delays are fixed when a run is prepared")),
    ({"tau": [1.0] * 12}, ("set 'first', tau: found an array, expected one value for all edges.",
                           "Declare it in the rule with Parameter('ms', ..., per='edge').")),
])
def test_delays_and_arrays_for_one_value_are_refused_with_what_to_do_instead(values, message):
    run = ns.prepare(network(), backend="reference")
    with pytest.raises(NetworkError, match=parts(*message)) as error:
        run.set("first", **values)
    assert "<projection" not in str(error.value)


@pytest.mark.parametrize(("handlers", "reason"), [
    ([("pre", "out += w")], "rule 'r'."),
    ([("pre", "w = w"), ("on_dawn", "w = w")], "rule 'r'. It listens to signal 'on_dawn'. It delivers nothing."),
    ([("pre", "out += w"), ("night", "w = w"), ("day", "w = w")], "rule 'r'. It listens to signals 'night', 'day'."),
])
def test_the_report_of_a_rule_says_what_it_waits_for_and_whether_it_delivers(backend, handlers, reason):
    net = network()
    project(rule=Rule(edge="w : mV", handlers=handlers, name="r"), port="in", name="new")(net)
    (row,) = (row for row in ns.check(net, backend=backend).rows if row.place == "projection 'new'")
    assert (row.status, row.reason) == ("exact", reason)


# ---- what only draws can show, when a run is prepared


def prepared(act, **options):
    net = network()
    net.projections.pop("spread")
    net.inputs[:] = [i for i in net.inputs if i.name != "spread"]
    act(net)
    return lambda: ns.prepare(net, backend="reference", **options)


DRAWN = {
    "an expression that divides by 0": (populate(tau="1*ms / i"), "population 'p', tau: the expression gives a value that is not finite",
        "expected numbers.", "Correct it."),
    "bounds that no draw meets": (populate(tau=ns.normal("1 ms", "0 ms", low="3 ms")),
        "population 'p', tau: normal(mean=1 ms, sd=0 ms, low=3 ms) still falls outside",
                                  "after 1000 draws.", "Widen the bounds."),
    "more partners than there are": (project(connector=ns.fixed_indegree(9)),
        "projection 'a->b.in' (a -> b): fixed indegree 9: 9 edges are asked for",
                                     "where only 4 different ones are possible.", "Use n=4 or less, or multapses=True."),
    "weights of as many edges as are not drawn": (project(connector=ns.fixed_probability(0.5), weight=[1.0] * 13),
        "weight: found an array of length 13",
                                                  "expected one for each of", "edges.", "Correct its length."),
    "links of as many edges as are not drawn": (project(connector=ns.fixed_probability(0.5),
        rule=lambda net: gain(net["a"]["v"].by([0] * 13))),
                                                "link 'gain'", "13", "expected one for each of"),
}


@pytest.mark.parametrize("case", DRAWN.values(), ids=DRAWN)
def test_what_only_draws_show_is_refused_when_a_run_is_prepared(case):
    act, *message = case
    with pytest.raises(NetworkError, match=parts(*message)):
        prepared(act)()


def test_same_step_projections_are_refused_with_the_report(backend):
    net = network()
    project(same_step=True, name="fast")(net)
    with pytest.raises(LoweringError, match=parts(f"backend {backend!r} cannot run network 'net':",
        "projection 'fast': same-step projections are not implemented",
                                                  "Use a delay of 0, which the next step feels.")) as error:
        ns.prepare(net, backend=backend)
    assert [row.place for row in error.value.report.of("impossible")] == ["projection 'fast'"] and not error.value.report.possible


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ns.prepare(5, backend="reference"), ("network: found 5, expected a Network.", "Make one with ns.Network(name, dt=...).")),
    (lambda: ns.check("net", backend="reference"), ("network: found 'net', expected a Network.",)),
    (lambda: ns.simulate(None, 1, backend="reference"), ("network: found None, expected a Network.",)),
    (lambda: ns.prepare(network(), backend="cpuu"), ("there is no backend 'cpuu'.", "Did you mean 'cpu'?", "The backends are:")),
    (lambda: ns.prepare(network(), backend=5), ("backend: found 5, expected the name of a backend, such as 'cpu'.",
        "Give one of these names.")),
    (lambda: ns.prepare(network(), backend="reference", threads=2),
        ("backend 'reference' has no option 'threads'.", "The options are: replica.")),
    (lambda: ns.simulate(network(), -1, backend="reference"),
        ("run: duration: found -1, expected one time of 0 ms or more.", "Give it such as")),
    (lambda: ns.simulate(network(), "1 mV", backend="reference"),
        ("run: duration: '1 mV' is a voltage (mV), but a time (ms) is expected.",)),
])
def test_runs_of_what_is_no_network_no_backend_or_no_time_are_refused(call, message):
    with pytest.raises(NetworkError, match=parts(*message)):
        call()


# ---- memory


class Untouched:
    """A connector that must not be asked to draw."""

    def __init__(self, edges: float) -> None:
        self.edges = edges

    def expected(self, n_source: int, n_target: int) -> float:
        return self.edges

    def show(self) -> str:
        return "untouched"

    def connect(self, *arguments, **options):
        raise AssertionError("edges were drawn")


def test_a_network_beyond_memory_is_refused_before_anything_is_drawn_naming_the_three_largest_items(backend):
    net = Network("huge", dt=1)
    neurons = net.population("neurons", 2**31 - 1, LIF, tau=ns.uniform(1, 2))  # 2**31 neurons: no array of that length may be made
    for name, edges in (("small", 10.0), ("large", 1e15), ("larger", 2e15), ("largest", 3e15)):
        net.project(neurons, neurons, Untouched(edges), weight=ns.uniform(0, 1), delay=ns.uniform(1, 2), round_delays=True, name=name)
    net.record(neurons, "spikes")
    with pytest.raises(NetworkError, match=parts("network 'huge' needs about", "GB of memory, but", "GB are available.",
        "The largest items are",
                                                 "projection 'largest' (3e+15 edges)", "projection 'larger' (2e+15 edges)",
                                                     "projection 'large' (1e+15 edges)",
                                                 "Use fewer edges, one weight for all edges of a projection, or a larger machine.")) as error:
        ns.prepare(net, backend=backend)
    assert "'small'" not in str(error.value) and "neurons'" not in str(error.value)


def test_connectors_say_beforehand_what_their_edges_will_need():
    net = Network("huge", dt=1)
    neurons = net.population("neurons", 10**7, LIF)
    net.project(neurons, neurons, ns.fixed_probability(0.5), weight=1.0, name="dense")
    with pytest.raises(NetworkError, match=parts("network 'huge' needs about", "projection 'dense' (5e+13 edges)")):
        ns.prepare(net, backend="reference")
