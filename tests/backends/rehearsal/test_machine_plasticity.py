"""Pair STDP of SpiNNaker: tables, traces, remembered spikes and truncation."""

import numpy as np
import pytest
from support import spinnaker_oracle as oracle

from neurosim.backends.pynn.rehearsal.plasticity import (
    History,
    PlasticEdges,
    Rules,
    decay_table,
    deliver_plastic,
    remember,
)


def rule(tau_plus=20.0, tau_minus=20.0, **numbers):
    """Return a rule of one projection; numbers in units of the weight."""
    plus = decay_table(tau_plus, 1.0)
    minus = decay_table(tau_minus, 1.0)
    values = {"raise_by": 0.05, "lower_by": 0.06, "least": 0.0, "most": 1.0} | numbers
    shift = values.pop("shift", 6)
    return Rules(
        np.concatenate([plus, minus]),
        np.array([[0, plus.size]]),
        np.array([[plus.size, minus.size]]),
        **{name: np.array([oracle.fixed(value)]) for name, value in values.items()},
        shift=np.array([shift]),
    )


def history(remembered=15):
    return History(
        np.ones(1, np.int64),
        np.zeros((1, remembered + 1), np.int64),
        np.zeros((1, remembered + 1), np.int16),
    )


def edge(weight, delay=1, *, last=0, trace=0):
    """Return one edge of one source, onto the first slot."""
    return PlasticEdges(
        rows=np.array([0, 1]),
        row=np.zeros(1, np.int64),
        rule=np.zeros(1, np.int64),
        last=np.array([last]),
        trace=np.array([trace], np.int16),
        first=np.array([0, 1]),
        slot=np.zeros(1, np.uint32),
        learner=np.zeros(1, np.int64),
        delay=np.array([delay]),
        weight=np.array([weight], np.uint16),
    )


def send(edges, rules, spikes, step):
    """Let the source spike; return the weight that reaches the slots."""
    slots = np.zeros((64, 2), np.uint32)
    deliver_plastic(edges, rules, spikes, np.zeros(1, np.int32), step, slots)
    (row,) = np.flatnonzero(slots[:, 0]) if slots.any() else [0]
    assert not slots.any() or row == (step + edges.delay[0]) % 64
    return int(slots[row, 0])


def test_tables_of_decays_are_those_of_the_host():
    """exp(-1 / 20) * 2048 = 1948.1; ln 2048 * 20 = 152.5, rounded up to the even 154."""
    table = decay_table(20.0, 1.0)
    assert table[:6].tolist() == [2048, 1948, 1853, 1762, 1676, 1594]
    assert table.size == 154


def test_traces_of_the_target_follow_the_vector():
    """1762 parts are left of 2048 after 3 steps, and a spike adds 2048: 3810."""
    spikes = history()
    rules = rule()
    for step in (12, 15):
        remember(spikes, 0, step, rules.table, rules.minus[0])
    assert spikes.times[0, :3].tolist() == [0, 12, 15]
    assert spikes.traces[0, :3].tolist() == [0, 2048, 3810]


def test_an_edge_follows_the_vector_of_the_machine():
    """w = 256 << 6 = 16384, one half. The spikes of 12 and 15 have ages 3 and 6 from the source's
    of 10 over 1 step: + 1638 * (1762 << 4 and 1517 << 4) / 2**15 = 1409 + 1213. The trace 3810 is
    4 steps old, 3810 * 1676 >> 11 = 3117: - 1966 * (3117 << 4) / 2**15 = - 2992. 16014 >> 6 is
    250, and 14 parts of 64 are lost. Before, the source's trace was 2048 * 1242 >> 11 + 2048."""
    spikes = history()
    rules = rule()
    edges = edge(256, last=10, trace=2048)
    for step in (12, 15):
        remember(spikes, 0, step, rules.table, rules.minus[0])
    assert send(edges, rules, spikes, 20) == 250
    assert edges.weight.tolist() == [250]
    assert (edges.last.tolist(), edges.trace.tolist()) == ([20], [3290])


def trains(seed):
    """Return steps of a source and a target whose bursts are longer than what is remembered."""
    random = np.random.default_rng(seed)
    sources = np.flatnonzero(random.random(400) < 0.05)
    targets = np.flatnonzero(random.random(400) < 0.4)
    return sources.tolist(), targets.tolist()


def sent(sources, targets, *, delay, remembered=15):
    """Return the weights that the machine's edge sends."""
    rules = rule(12.0, 25.0)
    edges = edge(300, delay)
    spikes = history(remembered)
    weights = []
    for step in range(400):
        if step in targets:
            remember(spikes, 0, step, rules.table, rules.minus[0])
        if step in sources:
            weights.append(send(edges, rules, spikes, step))
    return weights


def synapse(delay):
    return oracle.Synapse(
        300,
        6,
        delay,
        oracle.table(12.0),
        oracle.table(25.0),
        oracle.fixed(0.05),
        oracle.fixed(0.06),
        0,
        32768,
    )


@pytest.mark.parametrize("delay", [1, 3, 9])
@pytest.mark.parametrize("seed", range(3))
def test_random_trains_agree_with_the_second_writing(seed, delay):
    sources, targets = trains(seed)
    assert sent(sources, targets, delay=delay) == oracle.weights_of(
        synapse(delay), sources, targets
    )


def test_sixteen_remembered_spikes_would_give_other_weights():
    """Between two spikes of the source the target has 20, of which the last 15 raise the weight."""
    sources = [5, 60]
    targets = list(range(10, 30))
    expected = sent(sources, targets, delay=1)
    assert expected == oracle.weights_of(synapse(1), sources, targets)
    wrong = oracle.weights_of(synapse(1), sources, targets, oracle.Fault(remembered=16))
    assert wrong != expected
    assert sent(sources, targets, delay=1, remembered=16) == wrong


def test_spikes_that_meet_lower_a_weight_fully_and_do_not_raise_it():
    """A target's spike of 9 over one step meets the source's of 10: age 0. The full trace takes
    1966 * (2048 << 4) / 2**15 = 1966 from 16384, and 14418 >> 6 is 225."""
    spikes = history()
    rules = rule()
    remember(spikes, 0, 9, rules.table, rules.minus[0])
    assert send(edge(256, last=10, trace=2048), rules, spikes, 10) == 225


def test_each_spike_of_the_source_cuts_the_weight_down():
    """A trace of 40 raises by 1638 * (40 << 4) / 2**15 = 31 parts of 64: nothing is left of it."""
    spikes = history()
    rules = rule(raise_by=0.05, lower_by=0.0)
    remember(spikes, 0, 12, rules.table, rules.minus[0])
    edges = edge(256, last=12, trace=40)
    assert send(edges, rules, spikes, 30) == 256
