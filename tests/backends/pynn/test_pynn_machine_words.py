"""Words that sPyNNaker writes for the machine, read back on a virtual board: numbers and units.

Nothing here is read from our script: the words are those of sPyNNaker's own writers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sympy")

from support.pynn_networks import mapped_there  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.simulator.script import Script  # noqa: E402
from neurosim.backends.pynn.simulator.spynnaker_settings import PYTHON  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402

pytestmark = mapped_there
ONE = 1 << 15
# The end of a script: words of neurons by field, of Poisson sources, and rows of synapses.
READ = """
import json
from pacman.model.graphs.common import Slice
from spynnaker.pyNN.models.neuron.neuron_data import _MergedDict
from spynnaker.pyNN.utilities.struct import StructRepeat

class Spec:
    def __init__(self):
        self.arrays = []
    def __getattr__(self, name):
        return lambda *_, **__: None
    def write_array(self, values):
        self.arrays.append(np.asarray(values).tolist())

sim.run(10.0)
words = {"neurons": {}, "rates": {}, "edges": {}, "shifts": {}, "stdp": {}}
for name, p in POPULATIONS.items():
    vertex = p._vertex
    if hasattr(vertex, "neuron_impl"):
        values = _MergedDict(vertex.parameters, vertex.state_variables)
        fields = words["neurons"][name] = {}
        for struct in vertex.neuron_impl.structs:
            part = () if struct.repeat_type == StructRepeat.GLOBAL else (Slice(0, p.size - 1),)
            if not struct.fields:
                continue
            size = (p.size if part else 1) * struct.numpy_dtype.itemsize
            data = struct.get_data(values, *part).view(np.uint8)[:size]
            for _, field in struct.fields:
                fields[field] = data.view(struct.numpy_dtype)[field].astype(int).tolist()
        words["shifts"][name] = [int(s) for s in vertex.get_ring_buffer_shifts()]
        if vertex.synapse_dynamics is not None and hasattr(
            vertex.synapse_dynamics, "weight_dependence"
        ):
            class Words(list):
                def write_value(self, data, data_type):
                    self.append(int(data_type.encode_as_int(data)))
            stdp = words["stdp"][name] = Words()
            vertex.synapse_dynamics.weight_dependence.write_parameters(stdp, 1.0, np.ones(2), 2)
    else:
        spec = Spec()
        (core,) = vertex.machine_vertices
        if hasattr(core, "_write_poisson_rates"):
            core._write_poisson_rates(spec)
            words["rates"][name] = spec.arrays[0]
for name, p in PROJECTIONS.items():
    words["edges"][name] = np.array(
        [tuple(e) for e in p.get(["weight", "delay"], format="list")], float
    ).tolist()
print(json.dumps(words))
sim.end()
"""
CELL = cells.lif_exponential()


def network() -> ns.Network:
    net = ns.Network("words", dt="1 ms")
    two = net.population("two", 2, CELL, tau=[20.0, 11.0], refractory=3.0, v=[-65.0, -61.5])
    source = net.poisson("source", 3, rate=[10.0, 20.0, 40.0])
    net.project(source, two, ns.all_to_all(), weight=[0.25] * 6, delay="2 ms", port="excitatory")
    net.project(two, two, ns.all_to_all(), weight="1.5 nA", delay=5.0, port="inhibitory")
    quadratic = net.population(
        "quadratic", 1, cells.izhikevich(synapse="exponential"), current=10.0, a=0.1, d=2.0
    )
    net.project(source, quadratic, ns.all_to_all(), weight=-0.5, port="synaptic", name="calming")
    conductances = net.population("conductances", 1, cells.lif_conductance())
    net.project(
        source, conductances, ns.all_to_all(), weight="2 nS", port="excitatory", name="opening"
    )
    rule = plasticity.stdp(a_plus="3 nA", a_minus="1.5 nA", w_max="6 nA")
    spikes = net.spike_source("spikes", 1, steps=[[1]])
    net.project(
        spikes,
        net.population("learner", 1, CELL),
        ns.all_to_all(),
        weight="1 nA",
        delay="1 ms",
        back="2 ms",
        rule=rule,
        port="excitatory",
        name="learning",
    )
    return net


@cache
def words() -> dict[str, Any]:
    """Return the words of the network, and its plan as "plan"."""
    plan = pynn.spinnaker.lower(network()).artefact.plan
    script = Script(plan, 10.0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        script.write(folder)
        objects = {
            group: ", ".join(f"{part.name!r}: {script.names[part.name]}" for part in parts)
            for group, parts in (("P", plan.populations), ("Q", plan.projections))
        }
        text = f"{script.network}\nPOPULATIONS = {{{objects['P']}}}\n"
        (folder / "words.py").write_text(f"{text}PROJECTIONS = {{{objects['Q']}}}\n{READ}")
        settings = "[Machine]\nvirtual_board = True\nversion = 5\n"
        (folder / ".spynnaker.cfg").write_text(settings)
        done = subprocess.run(
            [os.environ.get(PYTHON, sys.executable), "words.py"],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"HOME": name},
        )
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith('{"neurons"'))
    return json.loads(line) | {"plan": plan}


NEURONS = {
    ("two", "tau_m"): [20.0, 11.0],
    ("two", "v"): [-65.0, -61.5],
    ("two", "v_rest"): [-65.0, -65.0],
    ("two", "v_reset"): [-65.0, -65.0],
    ("two", "v_thresh"): [-50.0, -50.0],
    ("two", "cm"): [1.0, 1.0],  # nF
    ("two", "tau_refrac"): [3.0, 3.0],
    ("two", "tau_syn_E"): [5.0, 5.0],
    ("two", "tau_syn_I"): [10.0, 10.0],
    ("quadratic", "a"): [0.1],
    ("quadratic", "b"): [0.2],
    ("quadratic", "c"): [-65.0],
    ("quadratic", "d"): [2.0],
    ("quadratic", "i_offset"): [10.0],  # mV/ms there as here, without a factor of 1000
    ("conductances", "e_rev_E"): [0.0],
    ("conductances", "tau_m"): [20.0],
}


@pytest.mark.parametrize(("owner_and_field", "values"), NEURONS.items(), ids=lambda x: str(x)[:30])
def test_words_of_neurons_are_our_numbers_in_steps_of_two_to_the_minus_15(owner_and_field, values):
    population, field = owner_and_field
    written = words()["neurons"][population][field]
    assert written == np.rint(np.array(values) * ONE).astype(int).tolist()


def test_words_of_neurons_would_differ_if_a_unit_were_another():
    written = words()["neurons"]
    assert written["quadratic"]["i_offset"] != [round(0.01 * ONE)]
    assert written["two"]["tau_m"] != [20_000 * ONE, 11_000 * ONE]


def test_words_of_poisson_sources_are_rates_in_hz_from_the_start():
    # Two words of the region; then count, number of rates, index, and rate, start and duration of
    # 64 bits each, of which 32 are behind the point.
    sources = np.array(words()["rates"]["source"][2:]).reshape(3, 9)
    fractions, whole = sources[:, 3], sources[:, 4]
    assert (whole + fractions / 2**32).tolist() == [10.0, 20.0, 40.0]
    assert sources[:, 5:7].tolist() == [[0, 0]] * 3


EDGES = {
    # Ours plus the step that the machine counts; weights in nA, uS or mV/ms.
    "source->two.excitatory": (0.25, 3.0),
    "two->two.inhibitory": (1.5, 6.0),
    "calming": (0.5, 1.0),
    "opening": (0.002, 1.0),
    "learning": (1.0, 2.0),
}


@pytest.mark.parametrize(("origin", "expected"), EDGES.items())
def test_weights_and_delays_there_are_ours_in_its_units(origin, expected):
    (part,) = words()["plan"].parts(origin)
    edges = np.array(words()["edges"][part.name])
    weight, delay = expected
    shift = words()["shifts"][part.target][0 if part.receptor == "excitatory" else 1]
    gain = 1024 if part.target == "conductances" else 1
    assert edges[:, 2] == pytest.approx(weight, abs=0.5 * 2.0 ** (shift - 15) / gain)
    assert set(edges[:, 3]) == {delay}


def test_a_negative_weight_of_a_single_port_lies_at_the_inhibitory_receptor():
    (part,) = words()["plan"].parts("calming")
    assert part.receptor == "inhibitory"


def test_words_of_stdp_are_absolute_and_equal_for_both_receptors():
    low, high, plus, minus = (word / ONE for word in words()["stdp"]["learner"][:4])
    assert (low, high, plus, minus) == (0.0, 6.0, 3.0, 1.5)


def test_the_step_of_the_machine_is_ours():
    assert words()["neurons"]["two"]["timestep"] == [ONE, ONE]
