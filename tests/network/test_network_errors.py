"""What a network refuses at the line of a mistake, changing nothing: names, populations, sources,
views, probes.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts
from support.refusals import LIF, STRANGER, network, populate, refused

import neurosim as ns
from neurosim import Cell, ModelError, Network, NetworkError, Parameter

NAN, INF = float("nan"), float("inf")
PAUSING = Cell(
    "v : mV", parameters={"pause": "1 ms"}, spike="v > 1*mV", refractory="pause", name="pausing"
)
NETWORKS = {
    "a name with a digit first": (
        lambda: Network("1x", dt=1),
        "network name: found '1x'",
        "expected letters, digits",
        "Choose another name.",
    ),
    "a name that is no text": (
        lambda: Network(3, dt=1),
        "network name: found 3",
        "expected letters",
        "Choose another name.",
    ),
    "a dt of 0": (
        lambda: Network("n", dt=0),
        "network 'n', dt: found 0",
        "expected one time above 0 ms.",
        "Give it such as",
    ),
    "a negative dt": (
        lambda: Network("n", dt="-1 ms"),
        "network 'n', dt: found '-1 ms'",
        "expected one time above 0 ms.",
    ),
    "a dt that is NaN": (
        lambda: Network("n", dt=NAN),
        "dt: found nan",
        "expected one time above 0 ms.",
    ),
    "an infinite dt": (
        lambda: Network("n", dt="1e999 ms"),
        "dt: found '1e999 ms'",
        "expected one time above 0 ms.",
    ),
    "several dt": (lambda: Network("n", dt=[1]), "dt: found [1]", "expected one time above 0 ms."),
    "no dt": (lambda: Network("n", dt=None), "dt: None is not a quantity.", "Give a number"),
    "a dt in mV": (
        lambda: Network("n", dt="1 mV"),
        "dt: '1 mV' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "a negative seed": (
        lambda: Network("n", dt=1, seed=-1),
        "network 'n', seed: found -1",
        "expected a whole number of at least 0.",
        "Change it.",
    ),
    "a seed that is not whole": (
        lambda: Network("n", dt=1, seed=1.5),
        "seed: found 1.5",
        "expected a whole number",
    ),
    "a probability above 1": (
        lambda: ns.fixed_probability(1.5),
        "fixed_probability: p is 1.5",
        "expected a number from 0 to 1.",
    ),
    "a probability that is NaN": (
        lambda: ns.fixed_probability(NAN),
        "fixed_probability: p is nan",
        "expected a number from 0 to 1.",
    ),
    "a table with NaN": (
        lambda: ns.table([1, NAN], every=1),
        "table: found a value that is not finite",
        "expected numbers.",
        "Replace NaN and infinity.",
    ),
    "an empty table": (
        lambda: ns.table([], every=1),
        "table: found values of shape (0,)",
        "expected (T,) or (T, N) with at least one row.",
        "Reshape them.",
    ),
    "a table of three dimensions": (
        lambda: ns.table(np.zeros((1, 1, 1)), every=1),
        "found values of shape (1, 1, 1)",
        "expected (T,) or (T, N)",
    ),
    "a table of text": (
        lambda: ns.table("abc", every=1),
        "table: values: 'abc' is not a quantity.",
        "Write a number",
    ),
}

POPULATIONS = {
    "a population of no neurons": (
        populate(size=0),
        "population 'p', size: found 0",
        "expected a whole number of at least 1",
        "Change it.",
    ),
    "a negative size": (
        populate(size=-1),
        "population 'p', size: found -1",
        "expected a whole number of at least 1",
    ),
    "a size that is not whole": (populate(size=2.0), "size: found 2.0", "expected a whole number"),
    "more neurons than an engine can number": (
        populate(size=2**31),
        "size: found 2147483648",
        "at most 2147483647.",
        "Change it.",
    ),
    "a name in use": (
        lambda net: net.population("a", 1, LIF),
        "population 'a': the name is in use in network 'net'.",
        "Choose another with name=..., every name once.",
    ),
    "a name with a space": (
        lambda net: net.population("p q", 1, LIF),
        "population name: found 'p q'",
        "expected letters, digits",
        "Choose another name.",
    ),
    "no cell": (
        lambda net: net.population("p", 1, "lif"),
        "population 'p': found 'lif', expected a Cell.",
        "Make one with ns.Cell",
    ),
    "an unknown parameter": (
        populate(tua=3),
        "population 'p' (lif) has no parameter or state 'tua'.",
        "Did you mean 'tau'?",
        "are: tau, theta, v.",
    ),
    "a parameter of another unit": (
        populate(tau="3 mV"),
        "population 'p', tau: '3 mV' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "a parameter that is NaN": (
        populate(tau=[1, NAN]),
        "population 'p', tau: found a value that is not finite (NaN or infinity)",
        "expected finite numbers.",
        "Replace it.",
    ),
    "an infinite parameter": (
        populate(tau="1e999 ms"),
        "tau: found a value that is not finite",
        "Replace it.",
    ),
    "an array of another length": (
        populate(tau=[1, 2, 3]),
        "tau: found an array of shape (3,)",
        "expected a number or an array of length 2 (one per neuron).",
        "Reshape it.",
    ),
    "an array of two dimensions": (
        populate(tau=[[1, 2]]),
        "tau: found an array of shape (1, 2)",
        "of length 2 (one per neuron).",
        "Reshape it.",
    ),
    "an array of another length in the cell": (
        populate(Cell("v : 1", parameters={"a": Parameter("1", [1, 2, 3])})),
        "population 'p', a: found an array of shape (3,)",
        "of length 2 (one per neuron).",
    ),
    "a parameter that is nothing": (
        populate(tau=None),
        "population 'p', tau: None is not a quantity.",
        "Give a number",
    ),
    "an expression of another unit": (
        populate(tau="theta + i*mV"),
        "population 'p', tau: 'theta + i*mV' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Multiply or divide it by what is missing.",
    ),
    "an expression over unknown names": (
        populate(tau="foo + 1"),
        "population 'p', tau: there is no name 'foo'.",
        "The names are: N, i, tau, theta, v.",
    ),
    "an initial value over time": (
        populate(v="t*mV/ms"),
        "population 'p', v: 't * mV / ms' depends on time (t)",
        "expected a value for the whole run.",
    ),
    "positions that were not given": (
        populate(tau="x + 1"),
        "there is no name 'x'.",
        "The names are:",
    ),
    "a value that reads itself": (
        populate(v="v + 1*mV"),
        "population 'p': v reads itself, expected a value or other names. Give v a value.",
    ),
    "values in a circle": (
        populate(tau="theta*ms/mV", theta="tau*mV/ms"),
        "population 'p': tau, theta are written in a circle",
        "expected one with a value.",
    ),
    "a circle through the cell": (
        populate(Cell("v : 1", parameters={"a": "2*b", "b": 1}), b="a + 1"),
        "population 'p': a, b are written in a circle",
    ),
    "an expression over a table": (
        populate(v="theta * 2", theta=ns.table([1.0], every=1)),
        "population 'p', v: its expression reads theta, a table over time",
        "expected values for the whole run.",
        "Write it in an equation of the cell.",
    ),
    "a draw that nothing reads": (
        populate(rho=ns.uniform(0, 1)),
        "has no parameter or state 'rho'.",
        "A draw of another name must be read by an expression.",
    ),
    "a draw of another unit": (
        populate(tau=ns.uniform("1 mV", "2 mV")),
        "tau, uniform(low=1 mV, high=2 mV): low: '1 mV' is a voltage (mV)",
        "a time (ms) is expected.",
    ),
    "a draw of arrays": (
        populate(tau=ns.uniform([1, 2], 3)),
        "low is [1, 2]",
        "expected one finite number.",
        "Correct it.",
    ),
    "a table for a state": (
        populate(v=ns.table([1, 2], every="1 ms")),
        "population 'p', v: found a table",
        "expected a number, array or draw: 'v' is a state.",
        "Make it a parameter.",
    ),
    "a table between the steps": (
        populate(tau=ns.table([1, 2], every="0.15 ms")),
        "population 'p', tau: every 0.15 ms is not a multiple of dt (0.1 ms).",
        "Use 0.1 ms or 0.2 ms or a smaller dt.",
    ),
    "a table of another width": (
        populate(tau=ns.table([[1, 2, 3]], every="1 ms")),
        "tau: found a table of shape (1, 3)",
        "expected (T,) or (T, 2).",
        "Reshape it.",
    ),
    "a table of another unit": (
        populate(tau=ns.table([1], every=1, unit="mV")),
        "tau: the table is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "rows of no time": (
        populate(tau=ns.table([1], every=0)),
        "tau, every: found 0",
        "expected one time above 0 ms.",
    ),
    "positions of another shape": (
        populate(positions=[[1, 2]]),
        "population 'p': found positions of shape (1, 2)",
        "expected (2, 3), all finite.",
        "Reshape them.",
    ),
    "positions that are text": (
        populate(positions="abc"),
        "population 'p', positions: 'abc' is not a quantity.",
        "Write a number",
    ),
    "a refractory time between the steps": (
        populate(PAUSING, pause="0.25 ms"),
        "population 'p': refractory time 0.25 ms is not a multiple of dt (0.1 ms).",
        "Use 0.2 ms or 0.3 ms or a smaller dt.",
    ),
    "a negative refractory time": (
        populate(PAUSING, pause=[1, -1]),
        "population 'p': refractory time: found -1 ms",
        "expected 0 ms or more.",
        "Correct it.",
    ),
    "a refractory time over time": (
        populate(PAUSING, pause=ns.table([1], every=1)),
        "refractory time: found a table",
        "expected a number, array or draw.",
        "run.set",
    ),
}

SOURCES = {
    "a negative rate": (
        lambda net: net.poisson("p", 2, rate=-1),
        "population 'p', rate: found -1 Hz",
        "expected 0 Hz or more.",
        "Correct it.",
    ),
    "a negative rate in a table": (
        lambda net: net.poisson("p", 2, rate=ns.table([5, -1], every=1)),
        "population 'p', rate: found -1 Hz",
        "expected 0 Hz or more.",
    ),
    "a rate above one spike per step": (
        lambda net: net.poisson("p", 2, rate=10_001),
        "population 'p', rate: found 10001 Hz, expected 10000 Hz or less.",
        "at most one spike in a step of 0.1 ms.",
        "Use a smaller dt, or net.poisson_drive",
    ),
    "such a rate in a table": (
        lambda net: net.poisson("p", 2, rate=ns.table([5, 2e4], every=1)),
        "population 'p', rate: found 20000 Hz, expected 10000 Hz or less.",
    ),
    "such a rate of one neuron, as text": (
        lambda net: net.poisson("p", 3, rate="6 * kHz * i"),
        "population 'p', rate: found 12000 Hz, expected 10000 Hz or less.",
    ),
    "a negative rate as text": (
        lambda net: net.poisson("p", 3, rate="-1 * Hz * i"),
        "population 'p', rate: found -1 Hz, expected 0 Hz or more.",
    ),
    "a rate that may be drawn above one spike per step": (
        lambda net: net.poisson("p", 2, rate=ns.uniform(0, 10_001)),
        "rate: found uniform(low=0, high=10001), which can fall outside",
        "expected 10000 Hz or less.",
        "or net.poisson_drive, which counts several.",
    ),
    "a rate that may be negative": (
        lambda net: net.poisson("p", 2, rate=ns.normal(5, 1)),
        "rate: found normal(mean=5, sd=1), which can fall outside",
        "expected 0 Hz or more.",
        "Bound the draw with low= and high=",
    ),
    "a rate in mV": (
        lambda net: net.poisson("p", 2, rate="5 mV"),
        "rate: '5 mV' is a voltage (mV)",
        "but a rate (Hz) is expected.",
        "Give it in Hz.",
    ),
    "rates of another length": (
        lambda net: net.poisson("p", 2, rate=[1, 2, 3]),
        "rate: found an array of shape (3,)",
        "of length 2 (one per neuron).",
    ),
    "a source of no neurons": (
        lambda net: net.poisson("p", 0, rate=1),
        "population 'p', size: found 0",
        "at least 1",
    ),
    "a probability above 1": (
        lambda net: net.bernoulli("p", 2, p=2),
        "population 'p', p: found 2",
        "expected 0 to 1.",
        "Correct it.",
    ),
    "a probability below 0": (
        lambda net: net.bernoulli("p", 2, p=[-0.1, 0.5]),
        "population 'p', p: found -0.1",
        "expected 0 to 1.",
    ),
    "a probability that is NaN": (
        lambda net: net.bernoulli("p", 2, p=NAN),
        "p: found a value that is not finite",
        "expected finite numbers.",
    ),
    "a table of probabilities above 1": (
        lambda net: net.bernoulli("p", 2, p=ns.table([0.5, 2], every=1)),
        "p: found 2",
        "expected 0 to 1.",
    ),
    "a drawn probability above 1": (
        lambda net: net.bernoulli("p", 2, p=ns.uniform(0, 2)),
        "p: found uniform(low=0, high=2), which can fall outside",
        "expected 0 to 1.",
    ),
    "a probability that is an object": (
        lambda net: net.bernoulli("p", 2, p=object()),
        "p: an object",
        "is not a quantity.",
    ),
    "both times and steps": (
        lambda net: net.spike_source("p", 1, times=[[1]], steps=[[1]]),
        "population 'p': expected either times= or steps=, found both.",
        "Give one.",
    ),
    "spikes of too few neurons": (
        lambda net: net.spike_source("p", 2, times=[[1]]),
        "found spikes of 1 neurons",
        "expected a list for each of 2, or (indices, times).",
        "Give an empty list to a silent neuron.",
    ),
    "spikes that are text": (
        lambda net: net.spike_source("p", 2, times="abc"),
        "population 'p': found 'abc'",
        "expected a list for each of 2",
    ),
    "spikes that are a number": (
        lambda net: net.spike_source("p", 2, times=5),
        "population 'p': found 5",
        "expected a list for each of 2",
    ),
    "spikes that are no times": (
        lambda net: net.spike_source("p", 2, times=[[1], ["a"]]),
        "population 'p', neuron 1: 'a' is not a quantity.",
        "Write a number",
    ),
    "a spike at 0": (
        lambda net: net.spike_source("p", 1, times=[[0]]),
        "found a spike at 0 ms; the first possible time is dt (0.1 ms), the end of step 0.",
        "Use 0.1 ms, or steps=.",
    ),
    "a spike between the steps": (
        lambda net: net.spike_source("p", 1, times=[[0.15]]),
        "spike time 0.15 ms is not a multiple of dt (0.1 ms).",
        "Use 0.1 ms or 0.2 ms",
    ),
    "a spike at infinity": (
        lambda net: net.spike_source("p", 1, times=[[INF]]),
        "spike time: found inf ms",
        "expected less than",
        "Use a shorter time.",
    ),
    "a spike that is NaN": (
        lambda net: net.spike_source("p", 1, times=[[NAN]]),
        "found a spike at nan ms",
        "Use 0.1 ms, or steps=.",
    ),
    "a neuron that is not there": (
        lambda net: net.spike_source("p", 2, times=([5], [1])),
        "found a neuron index outside 0 ... 1",
        "expected whole indices below 2.",
        "Correct the indices.",
    ),
    "half a neuron": (
        lambda net: net.spike_source("p", 2, times=([0.5], [1])),
        "found a neuron index outside 0 ... 1",
        "expected whole indices",
    ),
    "a negative step": (
        lambda net: net.spike_source("p", 1, steps=[[-1]]),
        "found a step that is negative or not whole",
        "expected 0, 1, 2, ...",
        "Correct the steps.",
    ),
    "half a step": (
        lambda net: net.spike_source("p", 1, steps=[[0.5]]),
        "found a step that is negative or not whole",
        "expected 0, 1, 2, ...",
    ),
    "a step that is text": (
        lambda net: net.spike_source("p", 1, steps=([0], ["a"])),
        "population 'p', steps: 'a' is not a quantity. Write a number.",
    ),
    "two spikes in one step": (
        lambda net: net.spike_source("p", 1, steps=[[1, 1]]),
        "neuron 0 has two spikes in step 1",
        "expected at most one.",
        "Remove one.",
    ),
    "more indices than spikes": (
        lambda net: net.spike_source("p", 2, steps=([0, 1], [1])),
        "found indices of shape (2,) and spikes of shape (1,)",
        "expected as many of both",
        "Correct one of them.",
    ),
    "a name in use": (
        lambda net: net.spike_source("a", 2),
        "population 'a': the name is in use in network 'net'.",
        "Choose another",
    ),
    "a drive with a negative rate": (
        lambda net: net.poisson_drive(net["a"], rate=-1, weight=1, name="d"),
        "drive 'd' (-> a), rate: found -1 Hz",
        "expected 0 Hz or more.",
    ),
    "a drive of too many counts": (
        lambda net: net.poisson_drive(net["a"], n=100, rate=2e8, weight=1, name="d"),
        "drive 'd' (-> a), rate: found 2e+08 Hz, expected 1e+08 Hz or less.",
        "Above 1e+06 counts per step use a smaller dt, or a constant input.",
    ),
    "a drive of no trains": (
        lambda net: net.poisson_drive(net["a"], n=0, rate=1, weight=1, name="d"),
        "drive 'd' (-> a), n: found 0",
        "at least 1",
        "Change it.",
    ),
    "a drive in nA": (
        lambda net: net.poisson_drive(net["a"], rate=1, weight="1 nA", name="d"),
        "drive 'd' (-> a), weight: '1 nA' is a current (nA)",
        "but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "a drive onto an unknown port": (
        lambda net: net.poisson_drive(net["a"], rate=1, weight=1, port="inn", name="d"),
        "cell 'lif' has no port 'inn'.",
        "Did you mean 'in'?",
    ),
    "a drive onto a source": (
        lambda net: net.poisson_drive(net["s"], rate=1, weight=1, name="d"),
        "drive 'd' (-> s): cell 'given spikes' has no ports",
        "expected a target that receives.",
    ),
    "a drive without a name onto a source": (
        lambda net: net.poisson_drive(net["s"], rate=1, weight=1),
        "drive (-> s): cell 'given spikes' has no ports",
    ),
    "a drive over time": (
        lambda net: net.poisson_drive(net["a"], rate=ns.table([1], every=1), weight=1, name="d"),
        "rate: found a table over time",
        "expected a number, array or draw.",
        "Only parameters of populations can be tables",
    ),
    "a drive of a name in use": (
        lambda net: net.poisson_drive(net["a"], rate=1, weight=1, name="drive"),
        "drive 'drive': the name is in use",
        "Choose another",
    ),
}

VIEWS = {
    "no neuron": (
        lambda net: net["a"][4:],
        "view of population 'a': slice(4, None, None) selects no neuron",
        "expected at least one of 4.",
        "Change the selection.",
    ),
    "an empty list": (
        lambda net: net["a"][[]],
        "[] selects no neuron",
        "expected at least one of 4.",
    ),
    "a neuron that is not there": (
        lambda net: net["a"][7],
        "view of population 'a': 7 does not select from 4 neurons",
        "Use a slice, a mask of that length, or indices below it.",
    ),
    "a mask of another length": (
        lambda net: net["a"][[True, False]],
        "does not select from 4 neurons",
        "Use a slice",
    ),
    "a neuron twice": (
        lambda net: net["a"][[0, 0]],
        "[0, 0] selects a neuron twice",
        "expected each neuron once.",
        "Remove the repeated ones.",
    ),
    "fractions": (
        lambda net: net["a"][[0.0, 1.0]],
        "does not select from 4 neurons (neither a slice, nor a mask, nor whole numbers",
        "Use a slice",
    ),
    "a truth": (lambda net: net["a"][True], "True does not select from 4 neurons", "Use a slice"),
    "an object": (lambda net: net["a"][object()], "does not select from 4 neurons", "Use a slice"),
    "two dimensions": (
        lambda net: net["a"][[[0, 1], [2, 3]]],
        "does not select from 4 neurons",
        "Use a slice",
    ),
}

PROBES = {
    "nothing": (
        lambda net: net.record(net["a"]),
        "record: found no variable",
        "expected 'spikes' or names of states.",
        "Name what to record.",
    ),
    "an unknown state": (
        lambda net: net.record(net["a"], "vv"),
        "record: population 'a' has no state 'vv'.",
        "Did you mean 'v'?",
        "The states are: spikes, v.",
    ),
    "a state and what is none": (
        lambda net: net.record(net["b"], "v", "tau"),
        "record: population 'b' has no state 'tau'.",
        "The states are: spikes, v.",
    ),
    "a state that is no text": (
        lambda net: net.record(net["b"], 5),
        "record: population 'b' has no state 5.",
        "The states are",
    ),
    "a distance between the steps": (
        lambda net: net.record(net["b"], "v", every=0.15),
        "record: every 0.15 ms is not a multiple of dt",
        "Use 0.1 ms or 0.2 ms or a smaller dt.",
    ),
    "a distance between spikes": (
        lambda net: net.record(net["b"], "spikes", every="10 ms"),
        "record: found every='10 ms' with 'spikes' alone, ",
        "expected it with states: every spike is recorded",
        "Leave it out, or name",
    ),
    "a distance of 0": (
        lambda net: net.record(net["b"], "v", every=0),
        "record, every: found 0",
        "expected one time above 0 ms.",
    ),
    "something twice": (
        lambda net: net.record(net["a"], "v"),
        "record: 'v' of",
        "is recorded already.",
        "Record all its members in one call.",
    ),
    "something twice in one call": (
        lambda net: net.record(net["b"], "v", "v"),
        "record: 'v' of",
        "is recorded already.",
    ),
    "another network": (
        lambda net: net.record(STRANGER, "v"),
        "record: population 'a' belongs to another network.",
        "Use one of: a, b, s, two, pulse.",
    ),
    "a name": (
        lambda net: net.record("a", "v"),
        "record: found 'a'",
        "expected a population of this network or a view of one.",
    ),
    "a drive": (
        lambda net: net.record(net["drive"], "rate"),
        "record: found <drive 'drive'",
        "expected a population",
    ),
    "spikes of what never spikes": (
        lambda net: net.record(net["pulse"], "spikes"),
        "record: population 'pulse' (rate) never spikes",
        "expected one that does.",
        "Record one of its states: v.",
    ),
    "edges of a population": (
        lambda net: net.record(net["b"], "v", edges=[0]),
        "record: found edges= for population 'b'",
        "for projections only.",
        "Record a view",
    ),
    "an edge that is not there": (
        lambda net: net.record(net["first"], "w", edges=[12]),
        "record: found edges [12]",
        "expected whole numbers from 0 to 11",
        "Correct edges.",
    ),
    "a negative edge": (
        lambda net: net.record(net["first"], "w", edges=[-1]),
        "record: found edges [-1]",
        "expected whole numbers",
    ),
    "an unknown variable": (
        lambda net: net.record(net["first"], "spikes"),
        "record: projection 'first' has no variable 'spikes'.",
        "The variables are: w, x.",
    ),
    "a projection of another network": (
        lambda net: net.record(network()["first"], "w"),
        "projection 'first' belongs to another network",
        "expected one of network 'net'.",
    ),
    "an unknown name": (
        lambda net: net["frist"],
        "network 'net' has no population, projection or drive 'frist'.",
        "Did you mean 'first'?",
        "are: a, b, drive, first, pulse, s, spread, two, valued.",
    ),
}


@pytest.mark.parametrize("case", NETWORKS.values(), ids=NETWORKS)
def test_what_is_wrong_before_there_is_a_network_is_refused(case):
    make, *message = case
    with pytest.raises(NetworkError, match=parts(*message)):
        make()


CASES = {"population": POPULATIONS, "source": SOURCES, "view": VIEWS, "record": PROBES}


@pytest.mark.parametrize(
    "case",
    [case for cases in CASES.values() for case in cases.values()],
    ids=[f"{subject}: {name}" for subject, cases in CASES.items() for name in cases],
)
def test_what_is_wrong_is_refused_at_its_line_and_changes_nothing(case):
    act, *message = case
    refused(act, *message, error=(NetworkError, ModelError))


def test_the_check_that_nothing_changed_sees_a_change():
    with pytest.raises(AssertionError):
        refused(lambda net: (net.population("p", 1, LIF), net.population("p", 1, LIF)), "is in use")
