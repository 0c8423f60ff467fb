"""Additive pair STDP: traces of 16 bits, remembered spikes of the targets, truncated weights.

Nothing happens to a weight until its source spikes. Then the spikes of the target since the last
one raise it, the last of them lowers it, and it is cut down to 16 bits and sent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .arithmetic.products import compile_body, multiply

UNIT = 2048  # of a trace
REMEMBERED = 15  # spikes of a target between two of a source
_PLACES = 11  # of a trace
_TO_FIXED = 4  # places that S16.15 has more


class Rules(NamedTuple):
    """The rules of a plan, one for each projection that learns.

    Attributes
    ----------
    table : (T,) int32
        Decays of traces by age, of all rules one after the other.
    plus, minus : (R, 2) int64
        Begin and length of a rule's tables of the sources' and of the targets' traces.
    raise_by, lower_by, least, most : (R,) int64
        Amplitudes and bounds of weights, S16.15.
    shift : (R,) int64
        Bits by which weights are shifted to become S16.15.
    """

    table: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    raise_by: np.ndarray
    lower_by: np.ndarray
    least: np.ndarray
    most: np.ndarray
    shift: np.ndarray


class History(NamedTuple):
    """Remembered spikes of the neurons that learn; entry 0 stands for the start.

    Attributes
    ----------
    entries : (H,) int64
        Of each neuron.
    times : (H, 16) int64
        Steps.
    traces : (H, 16) int16
    """

    entries: np.ndarray
    times: np.ndarray
    traces: np.ndarray


class PlasticEdges(NamedTuple):
    """All edges that learn, by projection, then source; a row is a source of one projection.

    Attributes
    ----------
    rows : (S + 1,) int64
        Rows ``row[rows[s]]`` to ``row[rows[s + 1] - 1]`` leave source s.
    row : (W,) int64
    rule : (W,) int64
        Of each row.
    last : (W,) int64
        Step of the last spike of the source.
    trace : (W,) int16
        Of the source, at that spike.
    first : (W + 1,) int64
        Edges ``first[r]`` to ``first[r + 1]`` are those of row r.
    slot : (E,) uint32
    learner : (E,) int64
        Number of the target among the neurons that learn.
    delay : (E,) int64
        Steps.
    weight : (E,) uint16
    """

    rows: np.ndarray
    row: np.ndarray
    rule: np.ndarray
    last: np.ndarray
    trace: np.ndarray
    first: np.ndarray
    slot: np.ndarray
    learner: np.ndarray
    delay: np.ndarray
    weight: np.ndarray


def decay_table(tau: float, dt: float) -> np.ndarray:
    """Return the decay of a trace by age in steps, as the host computes it; beyond its end it is 0.

    Parameters
    ----------
    tau, dt : float, ms
    """
    # From this age on, a trace of one has sunk below its grain, 1 / UNIT.
    length = math.ceil(math.log(UNIT) * tau / dt)
    length += length % 2  # two entries share a word of the machine
    ages = np.arange(length)
    return np.floor(np.exp(-ages * dt / tau) * UNIT).astype(np.int32)


@compile_body
def decayed(trace, age, table, bounds):
    """Return a trace some steps later.

    Parameters
    ----------
    trace, age : int
        Age in steps.
    table : (T,) int32
        Decays of all rules.
    bounds : (2,) int64
        Begin and length of the trace's table in ``table``.
    """
    # Outside its table the machine takes 0, on either side.
    begin = bounds[0]
    length = bounds[1]
    if age < 0 or age >= length:
        return np.int64(0)
    factor = np.int64(table[begin + age])
    return (np.int64(trace) * factor) >> _PLACES


@compile_body
def change_of_weight(amplitude, trace):
    """Return the change of a weight by a trace, in S16.15."""
    return np.int64(multiply(amplitude, trace << _TO_FIXED))


@compile_body
def remember(history, learner, step, table, minus):
    """Append a spike of a target to its history; the oldest is forgotten if there is no room.

    Parameters
    ----------
    history : History
        Changed.
    learner, step : int
    table : (T,) int32
    minus : (2,) int64
        Begin and length of the table of the target's trace.
    """
    times = history.times[learner]
    traces = history.traces[learner]
    count = history.entries[learner]
    last = count - 1
    trace = decayed(traces[last], step - times[last], table, minus) + UNIT
    if count == times.size:
        # Entry 0 is that of the start, and stays.
        for entry in range(2, count):
            times[entry - 1] = times[entry]
            traces[entry - 1] = traces[entry]
        count -= 1
    times[count] = step
    traces[count] = np.int16(trace)
    history.entries[learner] = count + 1


@compile_body
def learn(weight, last, trace, step, delay, history, learner, rules, rule):
    """Return the weight of 16 bits of an edge whose source spikes.

    Parameters
    ----------
    weight : int
    last, trace : int
        Step and trace of the spike of the source before.
    step, delay : int
    history : History
    learner : int
        The target.
    rules : Rules
    rule : int
    """
    # Changes are computed with all places of S16.15; the places that are cut off below are lost.
    full = np.int64(weight) << rules.shift[rule]
    # A spike of the target reaches the synapse `delay` steps later: the window is moved back by it.
    begin = max(last - delay, 0)
    end = max(step - delay, 0)
    latest = 0
    times = history.times
    for entry in range(history.entries[learner]):
        spike = times[learner, entry]
        if spike > end:
            break
        latest = entry
        age = spike + delay - last
        if spike > begin and age > 0:
            grown = decayed(trace, age, rules.table, rules.plus[rule])
            # Bounded after every spike, not once at the end.
            raised = full + change_of_weight(rules.raise_by[rule], grown)
            full = min(raised, rules.most[rule])
    # The trace of the last spike of the target holds what those before it have left.
    age = step - delay - times[learner, latest]
    if age >= 0:
        trace_of_target = history.traces[learner, latest]
        shrunk = decayed(trace_of_target, age, rules.table, rules.minus[rule])
        lowered = full - change_of_weight(rules.lower_by[rule], shrunk)
        full = max(lowered, rules.least[rule])
    return full >> rules.shift[rule]


@compile_body
def deliver_plastic(edges, rules, history, spiking, step, slots):
    """Change and send the weights of all edges of the sources that spike in a step.

    Parameters
    ----------
    edges : PlasticEdges
        Changed.
    rules : Rules
    history : History
    spiking : (S,) int32
        Sources.
    step : int
    slots : (depth, 2 N) uint32
        Changed.
    """
    for source in spiking:
        for position in range(edges.rows[source], edges.rows[source + 1]):
            send_row(edges, rules, history, edges.row[position], step, slots)


@compile_body
def send_row(edges, rules, history, row, step, slots):
    """Change and send the weights of the edges of a row, and renew the trace of its source.

    Parameters
    ----------
    edges : PlasticEdges
        Changed.
    rules : Rules
    history : History
    row, step : int
    slots : (depth, 2 N) uint32
        Changed.
    """
    depth = slots.shape[0]
    rule = edges.rule[row]
    last = edges.last[row]
    trace = edges.trace[row]
    for edge in range(edges.first[row], edges.first[row + 1]):
        delay = edges.delay[edge]
        weight = learn(
            edges.weight[edge],
            last,
            trace,
            step,
            delay,
            history,
            edges.learner[edge],
            rules,
            rule,
        )
        edges.weight[edge] = weight
        # The new weight is sent: an edge learns before it delivers.
        sums = slots[(step + delay) % depth]
        sums[edges.slot[edge]] += np.uint32(weight)
    # After all edges, which read the trace of the spike before.
    grown = decayed(trace, step - last, rules.table, rules.plus[rule]) + UNIT
    edges.trace[row] = np.int16(grown)
    edges.last[row] = step
