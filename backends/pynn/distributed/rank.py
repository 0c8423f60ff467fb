"""A network in NEST, built and run by each rank of MPI: python network.py, or mpirun -np 2 ...

It reads network.json and the arrays beside it, and writes a file of what its own neurons did. It
needs NEST and NumPy alone. Written by neurosim.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

nest: Any = importlib.import_module("nest")  # it makes its names when it is imported
HERE = Path(__file__).parent
BLOCK = 1_000_000  # edges that are read at once


def array_of(name):
    """Return an array of a file, which the system reads where it is used."""
    # Mapped, so that the ranks of a machine share one copy in memory.
    return np.load(HERE / name, mmap_mode="r")


def value_of(value):
    """Return a number, or an array of its file."""
    return array_of(value["array"]) if isinstance(value, dict) else value


def set_values(nodes, values):
    """Set parameters or states: a number for all, or one for each node that lies in this rank."""
    read = {name: value_of(value) for name, value in values.items()}
    # In one call: NEST looks after each whether reset lies below threshold.
    if all(np.ndim(value) == 0 for value in read.values()):
        nodes.set(read)
        return
    local = np.flatnonzero(np.atleast_1d(nodes.local))
    if local.size:
        own = {n: v if np.ndim(v) == 0 else np.asarray(v)[local].tolist() for n, v in read.items()}
        nodes[local.tolist()].set(own)


def create(population, dt):
    """Create neurons, and the devices that drive them; return both."""
    size = population["size"]
    nodes = nest.Create(population["model"], size)
    set_values(nodes, population["parameters"])
    devices = None
    if "spikes" in population:
        devices = nest.Create("spike_generator", size)
        times = array_of(population["spikes"]["times"])
        ends = array_of(population["spikes"]["ends"])
        for number in range(size):
            train = times[ends[number] : ends[number + 1]]
            devices[number].set(spike_times=train.tolist())
    if "rate" in population:
        # One for each neuron, since changed rates may differ between them.
        devices = nest.Create("poisson_generator", size)
        devices.set(origin=0.0)
        set_rates(devices, value_of(population["rate"]))
    if devices is not None:
        nest.Connect(devices, nodes, "one_to_one", {"delay": dt})
    if "current" in population:
        inject(population["current"], nodes, dt)
    return nodes, devices


def set_rates(devices, rates):
    """Set rates of generators, one for all or one for each."""
    devices.set(rate=rates if np.ndim(rates) == 0 else np.asarray(rates).tolist())


def inject(current, nodes, dt):
    """Connect currents that change over time, one for all neurons or one for each.

    Parameters
    ----------
    current : dict
        Of the description: times in ms, amplitudes in pA.
    nodes : NodeCollection
    dt : float, ms
    """
    times = array_of(current["times"])
    amplitudes = array_of(current["amplitudes"])
    # NEST changes a current after the first step; the last change before that holds from there.
    first = max(int(np.searchsorted(times, dt, side="right")) - 1, 0)
    times = np.maximum(times[first:], dt).tolist()
    columns = amplitudes[first:].reshape(len(times), -1).T
    for number, column in enumerate(columns):
        device = nest.Create("step_current_generator")
        device.set(amplitude_times=times, amplitude_values=column.tolist())
        targets = nodes if len(columns) == 1 and amplitudes.ndim == 1 else nodes[number]
        nest.Connect(device, targets, syn_spec={"delay": dt})


def connect(projection, sources, targets, dt):
    """Connect all edges, block by block; each rank keeps those of its own targets.

    Parameters
    ----------
    projection : dict
        Of the description, and its number.
    sources, targets : NodeCollection
    dt : float, ms

    Returns
    -------
    str, the model of its synapses.
    """
    model, parameters = projection["synapse"]
    # NEST has room for some 500 models of synapses: only edges that are read or learn need one.
    if parameters or projection["sampled"] is not None:
        nest.CopyModel(model, f"neurosim_{projection['number']}", parameters)
        model = f"neurosim_{projection['number']}"
    pre, post, weight, delay = (array_of(projection[k]) for k in ("pre", "post", "weight", "delay"))
    first_source = sources[0].global_id
    first_target = targets[0].global_id
    decay = projection.get("decay", {"steps": 1})
    tau = array_of(decay["tau"]) if "tau" in decay else None
    for begin in range(0, len(pre), BLOCK):
        block = slice(begin, begin + BLOCK)
        ends = (
            pre[block].astype(np.int64) + first_source,
            post[block].astype(np.int64) + first_target,
        )
        for step in range(decay["steps"]):
            weights = np.array(weight[block])
            # A current that decays is an edge for each time step of it.
            if tau is not None:
                weights *= np.exp(-step * dt / tau[block])
            # Sums of dt are no whole steps to the last bit, and NEST would round them itself.
            delays = np.round(delay[block] + step * dt, 9)
            synapse = {"synapse_model": model, "weight": weights, "delay": delays}
            nest.Connect(*ends, "one_to_one", synapse)
    return model


def record(recording, nodes, dt):
    """Connect a recorder of spikes or states; return it.

    Parameters
    ----------
    recording : dict
        Of the description.
    nodes : NodeCollection
    dt : float, ms
    """
    members = array_of(recording["members"])
    chosen = nodes if len(members) == len(nodes) else nodes[members.tolist()]
    if "variables" not in recording:
        recorder = nest.Create("spike_recorder")
        nest.Connect(chosen, recorder, syn_spec={"delay": dt})
        return recorder
    meter = nest.Create("multimeter")
    meter.set(record_from=recording["variables"], interval=recording["every"] * dt)
    nest.Connect(meter, chosen, syn_spec={"delay": dt})
    return meter


class Weights:
    """Weights of a projection in this rank, read at each stop.

    Parameters
    ----------
    projection : dict
        Of the description.
    model : str
        Of its synapses.
    first_source, first_target : int
        Identifiers of the first neurons at both ends.
    """

    def __init__(self, projection, model, *, first_source, first_target):
        self.name = projection["name"]
        self.every = projection["sampled"]
        self.factor = projection["weight_factor"]
        self.edges = nest.GetConnections(synapse_model=model)
        self.samples = []
        # A rank may have no edge of a projection, and NEST gives single values for one edge.
        ends = self.edges.get(["source", "target"]) if len(self.edges) else {}
        self.source = np.atleast_1d(ends.get("source", [])).astype(np.int64) - first_source
        self.target = np.atleast_1d(ends.get("target", [])).astype(np.int64) - first_target

    def read(self):
        """Keep the weights of now."""
        values = self.edges.get("weight") if len(self.edges) else []
        self.samples.append(np.atleast_1d(np.asarray(values, float)) / self.factor)

    def arrays(self, number):
        """Return all that was read, by name."""
        samples = np.array(self.samples).reshape(len(self.samples), len(self.source))
        names = (f"w{number}.source", f"w{number}.target", f"w{number}.values")
        return dict(zip(names, (self.source, self.target, samples), strict=True))


def stops_of(description, weights, changes):
    """Return the steps at which weights are read or rates change, ascending.

    Parameters
    ----------
    description : dict
    weights : list of Weights
    changes : list of (steps, rates, devices)
    """
    last = round(description["time"] / description["dt"])
    steps = {s for w in weights for s in range(w.every, last + 1, w.every)}
    for steps_of_change, _, _ in changes:
        steps |= {int(s) for s in steps_of_change if s <= last}
    return sorted(steps | {last})


def run(description, weights, changes):
    """Run, with stops.

    Parameters
    ----------
    description : dict
    weights : list of Weights
    changes : list of (steps, rates, devices)
    """
    dt = description["dt"]
    # A step more: NEST hands out the last samples only then.
    done = -1
    for step in stops_of(description, weights, changes):
        if step > done:
            nest.Simulate((step - done) * dt)
            done = step
        for projection in weights:
            if step % projection.every == 0:
                projection.read()
        for steps, rates, devices in changes:
            for row in np.flatnonzero(steps == step):
                set_rates(devices, rates[row].item() if rates.ndim == 1 else rates[row])


def events_of(recording, recorder, nodes):
    """Return what a recorder of this rank holds: neurons, times, and values.

    Parameters
    ----------
    recording : dict
        Of the description.
    recorder : NodeCollection
    nodes : NodeCollection
        The recorded population, whose first identifier is number 0.
    """
    events = recorder.events
    names = ["senders", "times", *recording.get("variables", [])]
    arrays = [np.asarray(events[name]) for name in names]
    arrays[0] = arrays[0].astype(np.int64) - nodes[0].global_id
    return dict(zip(["index", *names[1:]], arrays, strict=True))


def main():
    """Build and run the network; write the results of this rank."""
    description = json.loads((HERE / "network.json").read_text())
    dt = description["dt"]
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution = dt
    # Random numbers belong to virtual processes: results do not depend on how ranks share these.
    if description["virtual_processes"] is not None:
        nest.total_num_virtual_procs = description["virtual_processes"]
    nest.rng_seed = description["seed"]
    nest.set(min_delay=dt, max_delay=description["longest_delay"])  # after the threads
    nodes, changes = {}, []
    for population in description["populations"]:
        nodes[population["name"]], devices = create(population, dt)
        if "changes" in population:
            steps = array_of(population["changes"]["steps"])
            changes.append((steps, array_of(population["changes"]["rates"]), devices))
    recorders = [record(r, nodes[r["owner"]], dt) for r in description["recordings"]]
    weights = []
    for number, projection in enumerate(description["projections"]):
        sources, targets = nodes[projection["source"]], nodes[projection["target"]]
        model = connect({**projection, "number": number}, sources, targets, dt)
        if projection["sampled"] is not None:
            firsts = {
                "first_source": sources[0].global_id,
                "first_target": targets[0].global_id,
            }
            weights.append((projection, model, firsts))
    # Only after all edges exist: a list of connections is of its moment.
    readers = [Weights(p, model, **firsts) for p, model, firsts in weights]
    run(description, readers, changes)
    results = {}
    for number, recording in enumerate(description["recordings"]):
        events = events_of(recording, recorders[number], nodes[recording["owner"]])
        results |= {f"r{number}.{name}": array for name, array in events.items()}
    for number, reader in enumerate(readers):
        results |= reader.arrays(number)
    np.savez(HERE / f"rank{nest.Rank()}.npz", **results)


if __name__ == "__main__":
    main()
