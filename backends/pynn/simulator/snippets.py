"""Functions that exported scripts contain, as text."""

from __future__ import annotations

# Text, not functions of this package: an exported script runs where neurosim is not installed.
SPIKES_OF = '''def spikes_of(segment):
    """Return one row per spike: neuron, time in ms."""
    rows = [
        (train.annotations["source_index"], time)
        for train in segment.spiketrains
        for time in train.magnitude
    ]
    return np.array(rows, float).reshape(-1, 2)
'''

WEIGHTS_OF = '''def weights_of(projection):
    """Return the weights, sorted by source, then target."""
    listed = projection.get(["weight"], format="list")
    rows = np.array([tuple(row) for row in listed], float).reshape(-1, 3)
    return rows[np.lexsort((rows[:, 1], rows[:, 0])), 2]
'''

# For targets on which a pair of neurons has one edge at most.
WEIGHTS_OF_PAIRS = '''def weights_of(projection):
    """Return the weights, sorted by source, then target.

    PyNN cannot list a single weight of Brian 2.
    """
    matrix = projection.get("weight", format="array")
    return matrix[~np.isnan(matrix)]
'''

# Plain connections of NEST: nothing reads these edges back, so that PyNN need not know them.
CONNECT_DECAYING = '''def connect_decaying(source, target, edges, tau, steps):
    """Connect by currents that decay: an edge for each time step of one.

    NEST's Izhikevich neuron has no synapse that decays.
    """
    pre, post, weight, delay = edges.T
    ends = [
        np.array(cells.all_cells, int)[index.astype(int)]
        for cells, index in ((source, pre), (target, post))
    ]
    for step in range(steps):
        synapse = {
            "weight": weight * np.exp(-step * DT / tau),
            "delay": np.round(delay + step * DT, 9),
        }
        nest.Connect(*ends, "one_to_one", synapse)
'''

# PyNN's own class stands for "tsodyks_synapse", whose currents have an active state as well.
SHORT_TERM = '''class ShortTerm(TsodyksMarkramSynapse, NESTSynapseMixin):
    """Short-term plasticity whose used resources recover from the spike on.

    PyNN's own also has an active state that lasts for tau_syn.
    """

    translations, nest_name = sim.TsodyksMarkramSynapse.translations, "tsodyks2_synapse"
'''

# Names that a script uses for itself.
RESERVED_NAMES = frozenset(
    {
        "sim",
        "HERE",
        "DT",
        "RUN_TIME",
        "brian2",
        "warnings",
        "extra_models",
        "describe",
        "NESTSynapseMixin",
        "TsodyksMarkramSynapse",
        "np",
        "nest",
        "arrays",
        "plasticity",
        "history",
        "results",
        "segment",
        "signal",
        "step",
        "rate",
        "i",
        "spikes_of",
        "weights_of",
        "connect_decaying",
        "ShortTerm",
        "Path",
        "Sequence",
    }
)
