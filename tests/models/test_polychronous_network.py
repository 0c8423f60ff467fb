"""The network of Izhikevich (2006) does what the published program does, spike for spike and weight
for weight.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

import neurosim as ns
from neurosim.expr.functions import FUNCTIONS
from neurosim.models import polychronous_network as model

pytestmark = pytest.mark.experiment

SECONDS = 3  # the weights that the first two leave behind shape the spikes of the last
LATEST = 1000 * SECONDS + 1  # more ms than any trace is old
AGE = np.arange(LATEST)
# Traces by their age in ms: as products per ms, like the program, and as the rule has them. The
# rule's source trace begins a step later.
PRODUCTS = (
    0.1 * np.cumprod(np.r_[1, np.full(LATEST - 1, 0.95)]),
    0.12 * np.cumprod(np.r_[1, np.full(LATEST - 1, 0.95)]),
)
TAU = -1 / np.log(0.95)
CLOSED = (
    0.1 / 0.95 * FUNCTIONS["exp"](-(AGE + 1.0) / TAU),
    0.12 * FUNCTIONS["exp"](-(AGE + 0.0) / TAU),
)


def started(seed: int, backend: str, **options) -> ns.Run:
    """Return a run that also records which neuron the thalamus has chosen."""
    net = model.polychronous_network(seed=seed)
    net.record(net["thalamus"], "chosen")
    return ns.prepare(net, backend=backend, **options)


class Program:
    """The published algorithm in NumPy, in the published order, given the wiring and the input of a
    run.
    """

    def __init__(self, run: ns.Run, delay: np.ndarray, *, traces: tuple[np.ndarray, ...]) -> None:
        wiring = run.program.projections
        self.source = np.repeat(np.arange(800), 100)
        self.target = np.asarray(wiring["excitation"].targets)
        self.incoming = [np.flatnonzero(self.target == neuron) for neuron in range(1000)]
        by_delay = (
            np.argsort(delay.reshape(800, 100), axis=1, kind="stable")
            + 100 * np.arange(800)[:, None]
        )
        # five synapses of each delay, in order of their targets
        self.outgoing = by_delay.reshape(800, 20, 5)
        self.inhibited = np.asarray(wiring["inhibition"].targets).reshape(200, 100)
        self.delay = delay  # 1 to 20 ms
        self.chosen = run.result()["thalamus"].trace("chosen").values[:, 0].astype(int)
        self.ltp, self.ltd = traces
        self.s, self.sd = np.full(80_000, 6.0), np.zeros(80_000)
        self.fired: list[np.ndarray] = []
        # row t: when each neuron fired last, seen from time t
        self.last = np.full((LATEST, 1000), -1)

    def simulate(self, seconds: int) -> None:
        """Run from t = 0, the millisecond without input, to t = 1000 * seconds."""
        a, d = np.repeat([0.02, 0.1], [800, 200]), np.repeat([8.0, 2.0], [800, 200])
        v = np.full(1000, -65.0)
        u = 0.2 * v
        for t in range(1000 * seconds + 1):
            fired = np.flatnonzero(v >= 30)
            v[fired] = -65
            u[fired] = u[fired] + d[fired]
            self.fired.append(fired)
            self.last[t] = self.last[t - 1]
            self.last[t, fired] = t
            self.potentiate(t)
            current = self.deliver(t)
            v = v + 0.5 * ((0.04 * v + 5) * v + 140 - u + current)
            v = v + 0.5 * ((0.04 * v + 5) * v + 140 - u + current)
            u = u + a * (0.2 * v - u)
            if t and t % 1000 == 0:
                self.s = np.clip(0.01 + self.s + self.sd, 0, 10)
                self.sd = 0.9 * self.sd

    def potentiate(self, t: int) -> None:
        """Add to every synapse onto a neuron that fires the source's trace of ``delay`` ms ago."""
        for neuron in self.fired[t]:
            edges = self.incoming[neuron]
            then = t - self.delay[edges]
            last = np.where(then >= 0, self.last[then, self.source[edges]], -1)
            self.sd[edges] += np.where(last >= 0, self.ltp[then - last], 0.0)

    def deliver(self, t: int) -> np.ndarray:
        """Return the input of time t, and take the target's trace from every synapse that a spike
        reaches; oldest spikes first.
        """
        excitation, inhibition, current = np.zeros(1000), np.zeros(1000), np.zeros(1000)
        for delay in range(min(20, t + 1), 0, -1):
            sources = self.fired[t - delay + 1]
            edges = self.outgoing[sources[sources < 800], delay - 1].ravel()
            np.add.at(excitation, self.target[edges], self.s[edges])
            last = self.last[t, self.target[edges]]
            self.sd[edges] -= np.where(last >= 0, self.ltd[t - last], 0.0)
        for source in self.fired[t][self.fired[t] >= 800]:
            inhibition[self.inhibited[source - 800]] += -5.0
        if t:
            current[self.chosen[t - 1]] = 20
        return current + excitation + inhibition

    def spikes(self) -> list[tuple[int, int]]:
        """Return (step, neuron) of every spike; what the program finds at time t happened in our
        step t - 1.
        """
        return [(t - 1, int(i)) for t, fired in enumerate(self.fired) for i in fired]


def agree(run: ns.Run, program: Program) -> bool:
    """Return whether spikes, weights and collected changes are the same to the last bit."""
    spikes = run.result()["neurons"].spikes
    same = list(zip(spikes.step.tolist(), spikes.index.tolist(), strict=True)) == program.spikes()
    return same and bool(
        (run.get("excitation", "w") == program.s).all()
        and (run.get("excitation", "sd") == program.sd).all()
    )


def both(
    seed: int,
    seconds: int,
    backend: str,
    *,
    delay: np.ndarray,
    traces: tuple[np.ndarray, ...] = CLOSED,
) -> tuple[ns.Run, Program]:
    """Return the network and the program after some seconds; ``delay`` is that of the program's
    synapses.
    """
    run = started(seed, backend)
    model.run_for(run, seconds)
    program = Program(run, delay, traces=traces)
    program.simulate(seconds)
    return run, program


def published(seed: int) -> np.ndarray:
    """Return the delays of a seed as the program counts them, from 1 to 20 ms."""
    return model.delays(seed).astype(int) + 1


# ---- against the published program


def test_every_spike_and_weight_is_that_of_the_published_program(fast_backend):
    run, program = both(4, SECONDS, fast_backend, delay=published(4))
    assert len(program.spikes()) > 8000 and np.unique(program.s).size > 1000
    assert agree(run, program)


def test_traces_as_products_differ_by_rounding_only(fast_backend):
    """The program multiplies its traces by 0.95 in each millisecond; until the weights change, no
    spike can tell.
    """
    run, program = both(5, 1, fast_backend, traces=PRODUCTS, delay=published(5))
    spikes = run.result()["neurons"].spikes
    assert list(zip(spikes.step.tolist(), spikes.index.tolist(), strict=True)) == program.spikes()
    assert run.get("excitation", "sd") == pytest.approx(program.sd, rel=1e-9, abs=1e-14)
    assert run.get("excitation", "w") == pytest.approx(program.s, rel=1e-12)


def source_first(rule):
    """Return a way to make rules whose first two handlers have changed places."""
    return lambda **arguments: rule(
        **arguments | {"handlers": arguments["handlers"][1::-1] + arguments["handlers"][2:]}
    )


FAULTS = {
    "source first": ("Rule", source_first),
    "trace of a step later": ("LTP", lambda ltp: ltp * 0.95),
    "later arrivals": ("delays", lambda delays: lambda seed: delays(seed) + 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_order_of_events_another_trace_or_later_arrivals_are_noticed(
    fault, fast_backend, monkeypatch
):
    """The control of the first test: without a fault, a second agrees."""
    delay, (name, plant) = published(4), FAULTS[fault]
    assert agree(*both(4, 1, fast_backend, delay=delay))
    monkeypatch.setattr(model, name, plant(getattr(model, name)))
    assert not agree(*both(4, 1, fast_backend, delay=delay))


# ---- its parts


@pytest.mark.parametrize(
    ("target", "change"),
    [
        ([15], 0.1),
        ([16], 0.1 * 0.95),
        (
            [20],
            0.1 * 0.95**5,
        ),  # the step after the arrival is the first that the spike can have caused
        ([14], -0.12),
        ([13], -0.12 * 0.95),
        ([10], -0.12 * 0.95**4),  # in the same step: the target's spike is first
        ([10, 13], -0.12 * 0.95),
        ([15, 16], 0.1 + 0.1 * 0.95),
        ([], 0.0),
    ],
)
def test_a_pair_of_spikes_changes_the_synapse_by_the_time_between_arrival_and_spike(
    target, change, backend
):
    """The source fires in step 10 and the spike arrives in step 14; of the target's earlier spikes
    only the nearest counts.
    """
    net = ns.Network("pair", dt="1 ms")
    relay = ns.Cell(
        "v : mV/ms",
        receives={"x": ns.Port("mV/ms", into="v")},
        spike="v > 5 * mV/ms",
        after_spike="v = 0 * mV/ms",
    )
    pair = net.population("pair", 2, relay)
    times = net.spike_source("times", 2, steps=[[9], [k - 1 for k in target]])
    net.project(times, pair, ns.one_to_one(), weight=10.0)
    edge = net.project(
        pair[:1],
        pair[1:],
        ns.one_to_one(),
        rule=model.plasticity(),
        weight=2.0,
        delay=4.0,
        dendritic_fraction=0.0,
    )
    run = ns.prepare(net, backend=backend)
    run.run("30 ms")
    assert run.get(edge, "sd") == pytest.approx(change, rel=1e-12) and run.get(edge, "w") == 2.0


@pytest.mark.parametrize(
    ("w", "sd", "after"), [(6.0, 0.5, 6.51), (0.2, -0.5, 0.0), (9.8, 0.5, 10.0), (6.0, 0.0, 6.01)]
)
def test_a_second_adds_the_drift_and_the_collected_change_and_keeps_nine_tenths_of_it(
    w, sd, after, fast_backend
):
    run = started(1, fast_backend)
    run.set("excitation", w=w, sd=sd)
    run.emit("second")
    assert np.unique(run.get("excitation", "w")) == pytest.approx([after])
    assert np.unique(run.get("excitation", "sd")) == pytest.approx([0.9 * sd])


def test_every_excitatory_neuron_has_five_synapses_of_each_delay_in_random_order():
    """Over 80 000 synapses, the correlation of delay and rank of the target has a standard
    deviation of 0.0035.
    """
    delay = model.delays(3).reshape(800, 100)
    assert (np.sort(delay, axis=1) == np.repeat(np.arange(20), 5)).all()
    assert abs(np.corrcoef(delay.ravel(), np.tile(np.arange(100), 800))[0, 1]) < 0.014
    assert not (model.delays(3) == model.delays(4)).all()


def test_each_neuron_reaches_a_hundred_others_and_inhibition_only_excitatory_ones(fast_backend):
    wiring = started(2, fast_backend).program.projections
    excited, inhibited = (
        np.asarray(wiring[name].targets).reshape(-1, 100) for name in ("excitation", "inhibition")
    )
    assert all(np.unique(row).size == 100 for row in (*excited, *inhibited))
    assert (excited != np.arange(800)[:, None]).all() and excited.max() >= 800 > inhibited.max()
    assert excited.shape == (800, 100) and inhibited.shape == (200, 100)


def test_the_thalamus_chooses_one_neuron_per_millisecond_each_equally_often(fast_backend):
    net = model.polychronous_network(seed=6)
    net.record(net["thalamus"], "chosen")
    chosen = ns.simulate(net, "20 s", backend=fast_backend)["thalamus"].trace("chosen").values[:, 0]
    assert chosen.size == 20_000 and (chosen == np.floor(chosen)).all()
    assert chisquare(np.bincount(chosen.astype(int), minlength=1000)).pvalue > 0.001


def test_the_first_second_is_the_same_on_every_backend(backend, fast_backend):
    """Over 40 wirings of the program in C, rates of the first second are 4.6 and 16.4 Hz, standard
    deviations 0.34 and 1.4 Hz.
    """
    run, other = started(7, backend), started(7, fast_backend)
    model.run_for(run, 1)
    model.run_for(other, 1)
    spikes = run.result()["neurons"].spikes
    assert spikes == other.result()["neurons"].spikes
    assert (run.get("excitation", "w") == other.get("excitation", "w")).all()
    rates = ns.measure.rates(spikes)
    assert rates[:800].mean() == pytest.approx(4.6, abs=1.0)
    assert rates[800:].mean() == pytest.approx(16.4, abs=4.1)


def test_seconds_are_counted_from_the_last_full_one(fast_backend):
    run, whole = started(8, fast_backend), started(8, fast_backend)
    model.run_for(whole, 2)
    run.run("1300 ms")
    assert (run.get("excitation", "w") == 6.0).all()
    other = started(8, fast_backend)
    model.run_for(other, 1)
    other.run("300 ms")
    model.run_for(other, 1)
    assert other.time == 2000
    assert (other.get("excitation", "w") == whole.get("excitation", "w")).all()
