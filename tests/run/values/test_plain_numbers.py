"""Plain numbers that are set again and again: as the first time, whatever they are."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.cells import lif

SIZE = 4
NAN = np.array([0.1, np.nan, 0.1, 0.1])
NAMES = [
    ("each", "current"),
    ("each", "v"),
    ("each", "threshold"),
    ("each", "tau"),
    ("each[1:3]", "current"),
    ("each[1:3]", "v"),
    ("one", "current"),
    ("one[1:3]", "current"),
    ("single", "current"),
    ("derived", "current"),
    ("derived", "rest"),
    ("table", "current"),
    ("refractory", "rest_time"),
    ("poisson", "rate"),
    ("bernoulli", "p"),
    ("gamma", "rate"),
    ("drive", "rate"),
    ("drive", "weight"),
    ("loop", "w"),
]
# Inputs; values on which others depend, or whose limits depend on others, are read anew.
TAKEN = {
    ("each", "current"),
    ("each", "v"),
    ("each", "threshold"),
    ("one", "current"),
    ("single", "current"),
    ("poisson", "rate"),
    ("bernoulli", "p"),
    ("drive", "rate"),
}
VALUES = [
    0.3,
    0,
    -1.5,
    2,
    10**400,
    True,
    np.float64(0.4),
    np.float32(0.3),
    np.bool_(True),
    float("nan"),
    float("inf"),
    1e308,
    1e6,
    "0.3",
    "0.3 nA",
    "-60 mV",
    "i + 1",
    None,
    [0.1, 0.2, 0.3, 0.4],
    np.array([0.1, 0.2, 0.3, 0.4]),
    np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    np.array([0.1, 0.2, 0.3, 0.4], ">f8"),
    np.array([1, 2, 3, 4]),
    np.array([1, 2, 3, 4], np.uint8),
    np.array([True, False, True, False]),
    np.array([1, 2, 3, 4], object),
    np.array([0.1, 0.2, 0.3, 0.4 + 0j]),
    np.ma.masked_array([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 0]),
    np.array([[0.1, 0.2, 0.3, 0.4]]),
    np.array([0.1]),
    np.array(0.1),
    np.zeros(0),
    np.array([0.0, 0.0, 0.0, -1.0]),
    np.array([2.0, 0.0, 0.0, 5e6]),
    np.array([0.1, 1e200, -1e200, 0.1]),
    NAN,
    -NAN,
    np.array([0.1, 0.1, 0.1, np.inf]),
    ns.normal("0.3 nA", "0.1 nA"),
    ns.Table(np.array([0.1, 0.2]), every="1 ms"),
]


@pytest.fixture(scope="module")
def network():
    net = ns.Network("plain", dt="1 ms", seed=1)
    per_neuron = net.population("each", SIZE, lif(), current=np.full(SIZE, 0.25))
    net.population("one", SIZE, lif())
    net.population("single", 1, lif())
    net.population("derived", SIZE, lif(), current="0.1 * nA + rest / (1000 * Mohm)")
    net.population("table", SIZE, lif(), current=ns.Table(np.array([0.1, 0.3]), every="1 ms"))
    resting = ns.Cell(
        "dv/dt = -v / (10 * ms) : mV",
        parameters={"rest_time": "2 ms"},
        spike="v > 1 * mV",
        refractory="rest_time",
        name="resting",
    )
    net.population("refractory", SIZE, resting)
    net.poisson("poisson", SIZE, rate=np.full(SIZE, 10.0))
    net.bernoulli("bernoulli", SIZE, p=0.5)
    net.gamma("gamma", SIZE, rate="10 Hz", shape=2.0)
    net.poisson_drive(per_neuron, rate="10 Hz", weight="0.1 nA", n=3, name="drive")
    net.project(per_neuron, per_neuron, ns.fixed_probability(0.5), weight="0.1 nA", name="loop")
    net.record(per_neuron, "spikes")
    return net


class Repeated:
    """A run in which every name was set before, and one that reads all values as the first."""

    def __init__(self, network, monkeypatch, *, precision="float64"):
        self.short, self.long = (
            ns.prepare(network, backend="cpu", threads=1, precision=precision) for _ in range(2)
        )
        for owner, name in NAMES:
            value = self.short.get(self._owner(self.short, owner), name)
            for _ in range(2):
                self.short.set(self._owner(self.short, owner), **{name: value})
                self.long.set(self._owner(self.long, owner), **{name: value})
        self.taken = []
        check = self.short._plain_numbers.check

        def counted(owner, values):
            assignments = check(owner, values)
            self.taken += [] if assignments is None else [(owner.name, *values)]
            return assignments

        monkeypatch.setattr(self.short._plain_numbers, "check", counted)
        monkeypatch.setattr(self.long._plain_numbers, "check", lambda owner, values: None)
        self._starts = [run.snapshot() for run in (self.short, self.long)]

    @staticmethod
    def _owner(run, text):
        name, _, members = text.partition("[")
        return run.owners[name][1:3] if members else run.owners[name]

    def outcomes(self, owner, values):
        """Return what both runs say, and what they hold before and after two steps."""
        return [self._outcome(run, start, owner, values) for run, start in self._runs()]

    def _runs(self):
        return zip((self.short, self.long), self._starts, strict=True)

    def _outcome(self, run, start, owner, values):
        run.restore(start, clock=True)
        try:
            run.set(self._owner(run, owner), **values)
        except ns.NetworkError as error:
            return str(error), hold(run)
        states = hold(run)
        if (owner.partition("[")[0], *values) not in TAKEN:
            return states, states
        try:
            run.run("2 ms", progress=False)
        except ns.SimulationError as error:
            return states, str(error)
        return states, hold(run)


def hold(run):
    return {key: (a.shape, a.dtype, a.tobytes()) for key, a in run.memory.portable().items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_value_that_is_set_again_does_what_it_did_the_first_time(network, monkeypatch, precision):
    runs = Repeated(network, monkeypatch, precision=precision)
    for owner, name in NAMES:
        for value in VALUES:
            short, long = runs.outcomes(owner, {name: value})
            assert short == long, (owner, name, value)
    assert set(runs.taken) == (TAKEN if precision == "float64" else set())


def test_of_several_values_one_that_is_wrong_changes_none(network, monkeypatch):
    runs = Repeated(network, monkeypatch)
    before = hold(runs.short)
    with pytest.raises(ns.NetworkError, match="set 'each', v: found a value that is not finite"):
        runs.short.set("each", current=np.full(SIZE, 0.5), v=NAN)
    assert hold(runs.short) == before
    values = {"current": np.full(SIZE, 0.5), "v": -60.0, "tau": 10.0}
    short, long = runs.outcomes("each", values)
    assert short == long


def test_a_value_that_was_set_no_longer_follows_its_array(network):
    run = ns.prepare(network, backend="cpu", threads=1)
    current = np.full(SIZE, 0.5)
    for _ in range(3):
        run.set("each", current=current)
    current[:] = 7.0
    assert run.get("each", "current").tolist() == [0.5] * SIZE
