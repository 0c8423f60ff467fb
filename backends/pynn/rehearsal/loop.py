"""The time loop: a step of all populations, the delivery of its spikes, and the recordings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arithmetic.products import LARGEST_SLOT, compile_body, decay
from .neurons import update_population
from .plasticity import deliver_plastic, remember
from .sources import drive, emit_poisson
from .synapses import deliver_static

VOLTAGE = 0
EXCITATORY = 1
INHIBITORY = 2
WEIGHT = 3


class Populations(NamedTuple):
    """The populations of neurons of a plan.

    Attributes
    ----------
    begin, end : (P,) int64
        Their neurons.
    cell : (P,) int64
        LIF or IZHIKEVICH.
    source : (P,) int64
        First of them among the sources.
    shifts : (P, 2) int64
        Of both receptors.
    learner : (P,) int64
        First of them among the neurons that learn; -1: none learns.
    minus : (P, 2) int64
        Begin and length of the table of their traces.
    """

    begin: np.ndarray
    end: np.ndarray
    cell: np.ndarray
    source: np.ndarray
    shifts: np.ndarray
    learner: np.ndarray
    minus: np.ndarray


class Channels(NamedTuple):
    """What is sampled in each ``every``-th step.

    Attributes
    ----------
    variable : (C,) int64
        VOLTAGE, EXCITATORY, INHIBITORY or WEIGHT.
    every : (C,) int64
    shift : (C,) int64
        Of the receptor.
    first : (C + 1,) int64
        Members ``first[c]`` to ``first[c + 1]`` are those of channel c.
    member : (M,) int64
        Neurons, or edges that learn.
    output : (C,) int64
        Where its samples begin.
    """

    variable: np.ndarray
    every: np.ndarray
    shift: np.ndarray
    first: np.ndarray
    member: np.ndarray
    output: np.ndarray


class Spikes(NamedTuple):
    """Spikes of a stretch: sources and steps, in order of steps and sources.

    Attributes
    ----------
    source : (room,) int32
    step : (room,) int64
    """

    source: np.ndarray
    step: np.ndarray


@compile_body
def current_after_arrivals(neurons, variable, neuron, row, shift):
    """Return a synaptic current as the machine records it: with the arrivals of the next step.

    Parameters
    ----------
    neurons : Neurons
    variable : EXCITATORY or INHIBITORY
    neuron : int
    row : int
        Of the slots of the next step.
    shift : int
        Bits by which weights are shifted to become S16.15.
    """
    # Cut off as `take_arrivals` will do it; the slot itself stays as it is until then.
    if variable == EXCITATORY:
        total = min(np.int64(neurons.slots[row, neuron]), LARGEST_SLOT)
        slot = np.int32(total << shift)
        return np.int32(neurons.exc[neuron] + decay(slot, neurons.share_exc[neuron]))
    total = min(np.int64(neurons.slots[row, neurons.v.size + neuron]), LARGEST_SLOT)
    slot = np.int32(total << shift)
    return np.int32(neurons.inh[neuron] + decay(slot, neurons.share_inh[neuron]))


@compile_body
def sample(channels, channel, sample_row, step, neurons, weights, samples):
    """Write one sample of a channel.

    Parameters
    ----------
    channels : Channels
    channel : int
    sample_row : int
        Number of the sample.
    step : int
    neurons : Neurons
    weights : (E,) uint16
    samples : int32
        Changed.
    """
    variable = channels.variable[channel]
    first = channels.first[channel]
    width = channels.first[channel + 1] - first
    begin = channels.output[channel] + sample_row * width
    row = (step + 1) % neurons.slots.shape[0]
    for column in range(width):
        member = channels.member[first + column]
        if variable == VOLTAGE:
            samples[begin + column] = neurons.v[member]
        elif variable == WEIGHT:
            samples[begin + column] = weights[member]
        else:
            samples[begin + column] = current_after_arrivals(
                neurons, variable, member, row, channels.shift[channel]
            )


@compile_body
def emit(listed_spikes, next_spike, poisson, step, replica, spiking):
    """Collect the spikes of all sources in a step; return their number and that of given ones.

    Parameters
    ----------
    listed_spikes : GivenSpikes
    next_spike : int
        First given spike that is not past.
    poisson : PoissonSources
    step, replica : int
    spiking : int32
        Receives the sources.
    """
    count = 0
    # Given spikes are sorted by step, so that their position only moves forwards.
    while next_spike < listed_spikes.step.size and listed_spikes.step[next_spike] == step:
        spiking[count] = listed_spikes.source[next_spike]
        count += 1
        next_spike += 1
    for population in range(poisson.size.size):
        count += emit_poisson(poisson, population, step, replica, spiking[count:])
    return count, next_spike


@compile_body
def update(populations, neurons, rules, history, step, dt, spiking, saturated):
    """Run a step of all neurons, and remember spikes of those that learn; return their number.

    Parameters
    ----------
    populations : Populations
    neurons, history : Neurons, History
        Changed.
    rules : Rules
    step : int
    dt : int
        S16.15, ms.
    spiking : int32
        Receives the sources that spike.
    saturated : (2 N,) int64
        Changed.
    """
    row = step % neurons.slots.shape[0]
    count = 0
    for population in range(populations.begin.size):
        fired = spiking[count:]
        spikes = update_population(
            neurons,
            populations.begin[population],
            populations.end[population],
            populations.cell[population],
            row,
            populations.shifts[population],
            dt,
            fired,
            saturated,
        )
        # Remembered before any spike is delivered, since delivery reads the histories.
        if populations.learner[population] >= 0:
            for spike in range(spikes):
                learner = populations.learner[population] + fired[spike]
                remember(history, learner, step, rules.table, populations.minus[population])
        # From numbers within the population to numbers among all sources.
        for spike in range(spikes):
            fired[spike] += populations.source[population]
        count += spikes
    return count


@compile_body
def run_steps(
    populations,
    neurons,
    listed_spikes,
    poisson,
    drives,
    static,
    plastic,
    rules,
    history,
    channels,
    spikes,
    samples,
    saturated,
    numbers,
):
    """Run steps; return how many were run, and the number of their spikes.

    Parameters
    ----------
    populations : Populations
    neurons : Neurons
        Changed.
    listed_spikes, poisson, drives : GivenSpikes, PoissonSources, Drives
    static : Edges
    plastic, rules, history : PlasticEdges, Rules, History
        Edges and histories are changed.
    channels : Channels
    spikes : Spikes
        Written; there is room for those of all sources in the first step.
    samples : int32
        Written.
    saturated : (2 N,) int64
        Changed.
    numbers : (5,) int64
        First step, steps, dt in S16.15, replica of the draws, and number of sources.
    """
    first, steps, dt, replica, sources = numbers
    next_spike = np.searchsorted(listed_spikes.step, first)
    count = 0
    for step in range(first, first + steps):
        # All sources may spike in a step: without room for that the host collects first.
        if count + sources > spikes.source.size:
            return step - first, count
        begin = count
        room = spikes.source[count:]
        emitted, next_spike = emit(listed_spikes, next_spike, poisson, step, replica, room)
        count += emitted
        room = spikes.source[count:]
        count += update(populations, neurons, rules, history, step, dt, room, saturated)
        spikes.step[begin:count] = step
        # Only now: the spikes of a step find the histories of this step in any order.
        spiking = spikes.source[begin:count]
        deliver_static(static, spiking, step, neurons.slots)
        if plastic.weight.size:
            deliver_plastic(plastic, rules, history, spiking, step, neurons.slots)
        for number in range(drives.key.shape[0]):
            drive(drives, number, step, replica, neurons.slots)
        for channel in range(channels.every.size):
            every = channels.every[channel]
            if (step + 1) % every == 0:
                # Samples are counted from the begin of the stretch, not of the run.
                sample_row = (step + 1) // every - first // every - 1
                sample(channels, channel, sample_row, step, neurons, plastic.weight, samples)
    return steps, count
