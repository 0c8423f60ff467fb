"""NEST by ranks of MPI: PyNEST's program gives PyNN's numbers, on any number of ranks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyNN")
pytest.importorskip("nest")

from support.pynn_networks import varied

import neurosim as ns
from neurosim.backends import pynn
from neurosim.backends.pynn.distributed import interpreter
from neurosim.backends.pynn.distributed.nest_models import MODELS, native_rule
from neurosim.backends.pynn.translation.targets import NEST
from neurosim.models import cells, plasticity

# Named by `make test-nest-mpi`; other targets run the tests of one rank alone.
with_mpi = pytest.mark.skipif(
    interpreter.PYTHON not in os.environ, reason=f"{interpreter.PYTHON} names no NEST with MPI"
)


def given_network(*, plastic: bool = False, poisson: bool = False) -> ns.Network:
    """Return 40 neurons in a loop, driven by given spikes, which record spikes and weights."""
    net = ns.Network("loop", dt="0.1 ms", seed=3)
    neurons = net.population("e", 40, cells.lif(current=ns.uniform("0.1 nA", "0.25 nA")), v="rest")
    steps = [sorted({1 + (7 * i + 31 * k) % 900 for k in range(12)}) for i in range(10)]
    source = net.spike_source("source", 10, steps=steps)
    if poisson:
        source = net.poisson("source2", 10, rate=100)
    net.project(source, neurons, ns.all_to_all(), weight="0.4 nA", delay="0.5 ms", name="in")
    rule = plasticity.stdp(w_max="0.2 nA", relative=True) if plastic else None
    loop = net.project(
        neurons,
        neurons,
        ns.fixed_probability(0.3),
        weight="0.05 nA",
        delay="1 ms",
        rule=rule,
        name="loop",
        **({"back": "1 ms"} if plastic else {}),
    )
    net.record(neurons, "spikes")
    net.record(neurons[[5, 2]], "v", every="0.5 ms")
    if plastic:
        net.record(loop, "w", every="20 ms")
    return net


def run(net: ns.Network, **options: Any) -> ns.Recording:
    return ns.simulate(net, "100 ms", backend="nest", progress=False, **options)


def equal(a: ns.Recording, b: ns.Recording) -> bool:
    """Return whether two recordings hold the same numbers, whatever their headers say."""
    same = a.populations == b.populations
    return same and all(a.projections[n].traces == b.projections[n].traces for n in a.projections)


@pytest.mark.process
@pytest.mark.parametrize("plastic", [False, True], ids=["static", "plastic"])
def test_pynest_gives_the_numbers_of_pynn(plastic):
    net = given_network(plastic=plastic)
    through_pynn = run(net)
    ours = run(net, ranks=1)
    assert len(ours["e"].spikes) > 50 and ours["e"].spikes == through_pynn["e"].spikes
    voltage = through_pynn["e"].trace("v")
    assert voltage.members.tolist() == [5, 2]
    assert np.allclose(ours["e"].trace("v").values, voltage.values, rtol=0, atol=1e-9)
    if plastic:
        weights = through_pynn["loop"].trace("w").values
        assert weights.std() > 1e-3 and weights.shape[0] == 5
        assert np.allclose(ours["loop"].trace("w").values, weights, rtol=1e-12)
    assert ours.header["options"] == {"ranks": 1, "virtual_processes": 8}


@pytest.mark.process
def test_poisson_input_drives_and_views_run_too():
    """Random numbers differ from PyNN's, which uses other streams: rates agree."""
    result = run(varied(), ranks=1)
    expected = run(varied())
    for name in ("main", "chance"):
        counts = [len(r[name].spikes) for r in (result, expected)]
        assert min(counts) > 0.6 * max(counts)
    assert np.isfinite(result["main"].trace("synaptic").values).all()
    assert result["loop"].trace("w").values.shape == expected["loop"].trace("w").values.shape


@pytest.mark.process
def test_short_term_plasticity_and_decaying_currents_are_those_of_pynn():
    net = ns.Network("short", dt="0.1 ms", seed=2)
    source = net.spike_source("source", 2, steps=[[10, 60, 90, 400], [12, 300, 301]])
    membrane = net.population("membrane", 2, cells.lif(), v="rest")
    quadratic = net.population("quadratic", 2, cells.izhikevich(synapse="exponential"))
    rule = plasticity.short_term(U=0.4, tau_rec="100 ms")
    wiring = {"weight": 1.0, "delay": "1 ms"}
    net.project(source, membrane, ns.one_to_one(), rule=rule, name="short", **wiring)
    net.project(source, quadratic, ns.all_to_all(), port="synaptic", name="decay", **wiring)
    net.record(membrane, "v")
    net.record(quadratic, "v")
    through_pynn, ours = run(net), run(net, ranks=1)
    for name in ("membrane", "quadratic"):
        values = ours[name].trace("v").values
        assert np.ptp(values) > 1
        assert np.allclose(values, through_pynn[name].trace("v").values, rtol=0, atol=1e-9)


@pytest.mark.process
def test_currents_and_rates_that_change_over_time_are_followed():
    net = ns.Network("changes", dt="0.1 ms", seed=2)
    shared = ns.table(np.array([0.1, 0.4, 0.0]) * 1.0, every="20 ms")
    own = ns.table(np.array([[0.1, 0.0], [0.4, 0.2], [0.0, 0.3]]), every="20 ms")
    for name, current in (("shared", shared), ("own", own)):
        cell = cells.lif()
        net.record(net.population(name, 2, cell, current=current, v="rest"), "spikes", "v")
    late = net.poisson("late", 50, rate=ns.table([0.0, 400.0], every="50 ms"))
    net.record(late, "spikes")
    through_pynn, ours = run(net), run(net, ranks=1)
    for name in ("shared", "own"):
        assert ours[name].spikes == through_pynn[name].spikes and len(ours[name].spikes)
        difference = ours[name].trace("v").values - through_pynn[name].trace("v").values
        assert np.abs(difference).max() < 1e-9
    assert ours["late"].spikes.step.min() >= 498 and len(ours["late"].spikes) > 500


def test_a_run_writes_a_program_and_arrays(tmp_path):
    net = given_network()
    run_once = ns.prepare(net, backend="nest", ranks=1)
    path = run_once._script(10).write(tmp_path)
    assert path.read_text() == run_once.source
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"network.py", "network.json", "arrays"}
    assert all(file.suffix == ".npy" for file in (tmp_path / "arrays").iterdir())


def test_the_table_of_models_is_that_of_pynn():
    """Parameters of each standard cell, with different values, as PyNN translates them."""
    from pyNN.nest import standardmodels

    for cell, model in MODELS.items():
        standard = getattr(standardmodels.cells, cell.removesuffix("HalfSteps"))
        names = {t["translated_name"] for t in standard.translations.values()}
        if not cell.startswith("SpikeSource"):
            assert {native for native, _ in model.parameters.values()} == names, cell
            assert standard.nest_name["on_grid"] == model.name
        for variable, (native, factor) in model.variables.items():
            map_of_names = getattr(standard, "variable_map", {"v": "V_m"})
            assert map_of_names[variable] == native, (cell, variable)
            if cell not in ("IF_curr_delta",):
                assert standard.scale_factors[variable] == factor, (cell, variable)
    assert NEST.dependences


def test_rules_have_nests_names():
    from neurosim.backends.pynn.translation.plan import PlannedRule

    timing = {"tau_plus": 20.0, "tau_minus": 30.0, "A_plus": 0.01, "A_minus": 0.012}
    rule = PlannedRule("AdditiveWeightDependence", timing, {"w_min": 0.0, "w_max": 0.2}, 1.0)
    name, parameters, tau_minus = native_rule(rule, "IF_curr_exp", "excitatory")
    assert (name, tau_minus) == ("stdp_synapse", 30.0)
    assert parameters["Wmax"] == 200.0 and parameters["alpha"] == pytest.approx(1.2)
    inhibitory = native_rule(rule, "IF_cond_exp", "inhibitory")[1]
    assert inhibitory["Wmax"] == -200.0 and inhibitory["weight"] == -1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 0}, "ranks: found 0"),
        ({"ranks": 3}, r"ranks: found 3, expected a divisor of virtual_processes \(8\).*=9"),
        ({"ranks": 2, "threads": 2}, "threads: found it beside ranks=, expected one of them"),
        ({"virtual_processes": 8}, "virtual_processes: found it without ranks="),
        ({"ranks": 2, "virtual_processes": 0}, "virtual_processes: found 0"),
    ],
)
def test_wrong_ranks_are_refused_before_anything_is_drawn(options, message):
    with pytest.raises(ns.NetworkError, match=message):
        ns.check(given_network(), backend="nest", **options)


def test_a_nest_without_mpi_is_answered_with_the_command_that_builds_one(monkeypatch):
    monkeypatch.setattr(interpreter, "_has_mpi", lambda python: False)
    with pytest.raises(ns.NetworkError, match="was built without MPI.*make nest-mpi, then set NEU"):
        ns.prepare(given_network(), backend="nest", ranks=2)
    monkeypatch.setattr(interpreter, "_has_mpi", lambda python: True)
    monkeypatch.setattr(interpreter.shutil, "which", lambda name: None)
    with pytest.raises(ns.NetworkError, match="found no mpirun.*apt-get install openmpi-bin"):
        ns.prepare(given_network(), backend="nest", ranks=2)


@pytest.mark.process
def test_the_wheel_of_nest_is_known_to_have_no_mpi(monkeypatch):
    monkeypatch.delenv(interpreter.PYTHON, raising=False)
    assert pynn.nest.missing() is None
    with pytest.raises(ns.NetworkError, match="built without MPI"):
        interpreter.find_command(2)


@pytest.mark.process
def test_the_program_that_stays_runs_by_hand_with_blocks_of_edges(tmp_path):
    """Edges are read in blocks; smaller ones give the same network."""
    import subprocess
    import sys

    net = given_network()
    result = run(net, ranks=1, folder=tmp_path)
    before = dict(np.load(tmp_path / "rank0.npz"))
    program = tmp_path / "network.py"
    text = program.read_text()
    program.write_text(text.replace("BLOCK = 1_000_000", "BLOCK = 7"))
    assert program.read_text() != text
    subprocess.run([sys.executable, str(program)], check=True, capture_output=True)
    after = dict(np.load(tmp_path / "rank0.npz"))
    order, again = (np.lexsort((a["r0.index"], a["r0.times"])) for a in (before, after))
    assert (before["r0.index"][order] == after["r0.index"][again]).all()
    assert len(result["e"].spikes) == before["r0.index"].size > 0
    assert (tmp_path / "report.txt").exists() and isinstance(result, ns.Recording)


@pytest.mark.process
@pytest.mark.parametrize("threshold", ["20 mV", [20.0, 30.0, 40.0]], ids=["one", "own"])
def test_a_reset_above_nests_usual_threshold_is_taken(threshold):
    """NEST refuses a reset at or above the threshold, which is -55 mV until it is set."""
    net = ns.Network("high", dt="0.1 ms", seed=1)
    neuron = cells.lif_delta(
        tau="20 ms", rest="0 mV", threshold=threshold, reset="10 mV", refractory="2 ms"
    )
    neurons = net.population("e", 3, neuron)
    net.project(
        net.spike_source("source", 1, steps=[[10, 20, 30]]),
        neurons,
        ns.all_to_all(),
        weight="15 mV",
        delay="1 ms",
    )
    net.record(neurons, "spikes")
    result = run(net, ranks=1)
    assert len(result["e"].spikes) > 0
    assert equal(result, run(net))


CASES: dict[str, Callable[[], ns.Network]] = {
    "static": given_network,
    "plastic": lambda: given_network(plastic=True),
    "poisson": lambda: given_network(poisson=True),
    "plastic poisson": lambda: given_network(plastic=True, poisson=True),
    "varied": varied,
}


@with_mpi
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_give_the_numbers_of_one(case):
    one, two = (run(CASES[case](), ranks=ranks) for ranks in (1, 2))
    assert equal(one, two)


@with_mpi
def test_without_fixed_virtual_processes_ranks_differ():
    """The control: random numbers follow the number of virtual processes."""
    net = given_network(poisson=True)
    one, two = (run(net, ranks=ranks, virtual_processes=None) for ranks in (1, 2))
    assert not equal(one, two)
