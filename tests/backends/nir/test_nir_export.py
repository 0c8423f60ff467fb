"""Networks as files of NIR: nodes by equations, rows of differences, refusals with remedies."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py")
nir = pytest.importorskip("nir")

import neurosim as ns  # noqa: E402
from neurosim.cli.main import main  # noqa: E402
from neurosim.models import cells  # noqa: E402


def network(
    cell: ns.Cell,
    *,
    port: str = "synaptic",
    same_step: bool = True,
    scale: float = 1.0,
    **values: Any,
) -> ns.Network:
    net = ns.Network("layered", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 3, steps=[[1], [2], [3]])
    layer = net.population("layer", 4, cell, **values)
    weights = scale * (np.arange(12) - 5.0)
    net.project(
        source, layer, ns.all_to_all(), weight=weights, port=port, same_step=same_step, name="w"
    )
    net.record(layer, "spikes" if cell.spike is not None else "v")
    return net


def exported(net: ns.Network, folder) -> dict:
    return nir.read(ns.export(net, folder / "net.nir", backend="nir"), type_check=False).nodes


def rows(net: ns.Network) -> dict[str, ns.Row]:
    return {str(row.place): row for row in ns.check(net, backend="nir").rows}


LEAKY = cells.lif_delta(refractory="0 ms", rest=0.0, threshold=1.0, method="euler")
CURRENT = cells.lif(refractory="0 ms", rest=0.0, threshold=1.0, method="euler")


def test_a_leaky_cell_is_lif_whose_weights_are_held_for_a_step(tmp_path):
    nodes = exported(network(LEAKY, tau=[10.0, 20.0, 20.0, 40.0]), tmp_path)
    node = nodes["layer"]
    assert isinstance(node, nir.LIF)
    assert node.tau.tolist() == [0.01, 0.02, 0.02, 0.04]
    assert (node.v_threshold == 1).all() and (node.v_reset == 0).all() and (node.r == 1).all()
    # dv = dt / tau * weight there is the jump here, which has leaked for one step.
    tau = np.array([10.0, 20.0, 20.0, 40.0])[:, None]
    ours = (np.arange(12) - 5.0).reshape(3, 4).T
    assert nodes["w"].weight / tau == pytest.approx(ours * (1 - 1 / tau), rel=1e-12)


def test_a_cell_with_a_decaying_current_is_cubalif_with_our_weights(tmp_path):
    nodes = exported(network(CURRENT), tmp_path)
    node = nodes["layer"]
    assert isinstance(node, nir.CubaLIF)
    assert (node.tau_mem == 0.02).all() and (node.tau_syn == 0.005).all()
    assert (node.r == 100).all() and (node.w_in == 5).all()
    assert (nodes["w"].weight == (np.arange(12) - 5.0).reshape(3, 4).T).all()


def test_two_currents_of_one_time_constant_are_one_with_signs(tmp_path):
    cell = cells.lif_exponential(refractory="0 ms", tau_exc="5 ms", tau_inh="5 ms")
    net = network(cell, port="excitatory")
    p = net.populations
    net.project(
        p["inputs"], p["layer"], ns.all_to_all(), weight=2.0, port="inhibitory", name="minus"
    )
    nodes = exported(net, tmp_path)
    assert isinstance(nodes["layer"], nir.CubaLIF)
    assert (nodes["minus"].weight == -2.0).all()


def test_a_constant_current_is_a_part_of_the_leak(tmp_path):
    node = exported(network(LEAKY, current=0.005), tmp_path)["layer"]
    assert node.v_leak == pytest.approx(np.full(4, 0.5))


def test_cells_without_spikes_are_readouts(tmp_path):
    for equation, node_type in (
        ("dv/dt = (g - v) / tau : 1", nir.LI),
        ("dv/dt = g / tau : 1", nir.I),
    ):
        cell = ns.Cell(
            equation, parameters={"tau": "20 ms"}, receives={"g": ns.Port("1")}, step="v = v"
        )
        net = network(cell, port="g")
        assert type(exported(net, tmp_path / node_type.__name__)["layer"]) is node_type


def test_convolutions_and_pools_keep_their_kernels(tmp_path):
    net = ns.Network("images", dt="1 ms")
    pixels = net.spike_source("pixels", 36)
    kernel = np.arange(18.0).reshape(2, 1, 3, 3)
    edges = ns.convolution(kernel, shape=(1, 6, 6), padding=1)
    cell = ns.Cell(
        "dv/dt = (g - v) / tau : 1", parameters={"tau": "20 ms"}, receives={"g": ns.Port("1")},
        step="v = v + dt / tau * (g - v)", spike="v > 1", after_spike="v = 0",
    )  # fmt: skip
    hidden = net.population("hidden", edges.target_size, cell)
    net.project(pixels, hidden, edges, same_step=True, name="kernel")
    pool = ns.average_pooling(2, shape=(2, 6, 6))
    small = net.population("small", pool.target_size, cell)
    net.project(hidden, small, pool, same_step=True, name="pool")
    last = net.population("last", 3, cell)
    net.project(small, last, ns.all_to_all(), weight=0.5, same_step=True, name="dense")
    nodes = exported(net, tmp_path)
    assert (nodes["kernel"].weight == kernel).all() and tuple(nodes["kernel"].padding) == (1, 1)
    assert isinstance(nodes["pool"], nir.AvgPool2d)
    assert nodes["hidden"].tau.shape == (2, 6, 6) and nodes["small"].tau.shape == (2, 3, 3)
    assert isinstance(nodes["dense_flat"], nir.Flatten) and nodes["dense"].weight.shape == (3, 18)


def gridded(connector: Any, *, method: Any = "euler", **values: Any) -> ns.Network:
    """Return a grid of inputs, joined to a grid of leaky cells within the step."""
    net = ns.Network("gridded", dt="1 ms")
    source = net.spike_source("source", int(np.prod(connector.shape)))
    cell = cells.lif_delta(refractory="0 ms", rest=0.0, threshold=1.0, method=method)
    layer = net.population("layer", connector.target_size, cell, **values)
    net.project(source, layer, connector, same_step=True, name="w")
    net.record(layer, "spikes")
    return net


def test_a_pool_that_is_neither_mean_nor_sum_has_a_scale_behind_it(tmp_path):
    pool = ns.average_pooling(2, shape=(1, 4, 4), weight=3.0)
    net = gridded(pool, tau=10.0)
    nodes = exported(net, tmp_path)
    assert isinstance(nodes["w"], nir.SumPool2d)
    # Each of 4 cells sends 3 / 4; a jump has leaked for one step: (1 - 1 / 10) * 10.
    assert nodes["w_scale"].scale == pytest.approx(np.full((1, 2, 2), 3 / 4 * 9))
    again = ns.prepare(ns.from_nir(tmp_path / "net.nir", dt="1 ms"), backend="reference")
    edges = again.edges(next(iter(again.network.projections)))
    assert edges.weights == pytest.approx(np.full(16, 3 / 4 * 9))


def test_a_kernel_onto_neurons_of_different_factors_is_a_matrix(tmp_path):
    kernel = ns.convolution(np.ones((1, 1, 1, 1)), shape=(1, 1, 3))
    node = exported(gridded(kernel, tau=[10.0, 20.0, 40.0]), tmp_path)["w"]
    assert isinstance(node, nir.Linear)
    assert np.diag(node.weight) == pytest.approx([9.0, 19.0, 39.0])


def test_a_jump_that_decays_exactly_has_another_factor(tmp_path):
    kernel = ns.convolution(np.ones((1, 1, 1, 1)), shape=(1, 1, 3))
    node = exported(gridded(kernel, method="exact", tau=10.0), tmp_path)["w"]
    assert node.weight.ravel() == pytest.approx([10 * np.exp(-0.1)])


def test_a_bias_is_written_once_however_many_projections_there_are(tmp_path):
    net = convolved(2.0)
    source, layer = net.populations["source"], net.populations["layer"]
    net.project(source[:4], layer, ns.all_to_all(), weight=1.0, same_step=True, name="second")
    nodes = exported(net, tmp_path)
    assert nodes["w"].bias.tolist() == [2.0, 2.0]
    assert isinstance(nodes["second"], nir.Linear)


def test_without_recordings_the_output_is_what_feeds_nothing_else(tmp_path):
    net = network(LEAKY)
    last = net.population("last", 4, LEAKY)
    net.project(net.populations["layer"], last, ns.one_to_one(), weight=1.0, same_step=True)
    net.probes.clear()
    path = ns.export(net, tmp_path / "net.nir", backend="nir")
    outputs = [edge for edge in nir.read(path, type_check=False).edges if edge[1] == "output"]
    assert outputs == [("last", "output")]


def test_delays_are_nodes_and_a_loop_needs_none(tmp_path):
    net = network(LEAKY)
    layer = net.populations["layer"]
    net.project(layer, layer, ns.all_to_all(), weight=1.0, name="loop")
    net.project(layer, layer, ns.all_to_all(), weight=1.0, delay="3 ms", name="late")
    nodes = exported(net, tmp_path)
    assert "loop_delay" not in nodes
    assert nodes["late_delay"].delay == pytest.approx(np.full(4, 0.003))


STEP = "projection 'w', delay"


def looped(*, forward: bool, back: bool) -> ns.Network:
    """Return two layers in a loop, each of whose connections acts within its step or not."""
    net = network(LEAKY)
    layer = net.populations["layer"]
    second = net.population("second", 4, LEAKY)
    net.project(layer, second, ns.one_to_one(), weight=30.0, name="forward", same_step=forward)
    net.project(second, layer, ns.one_to_one(), weight=30.0, name="back", same_step=back)
    return net


@pytest.mark.parametrize("forward", [False, True])
def test_a_loop_over_two_layers_waits_where_it_closes_alone(tmp_path, forward):
    """Readers compute inputs, layer and second one after the other, and feed back after that."""
    net = looped(forward=forward, back=False)
    nodes = exported(net, tmp_path)
    assert [name for name in nodes if name.endswith("_delay")] == (
        [] if forward else ["forward_delay"]
    )
    again = ns.from_nir(tmp_path / "net.nir", dt="1 ms").projections
    assert (again["forward"].same_step, again["back"].same_step) == (forward, False)
    assert again["back"].delay == 0.0
    if not forward:
        assert nodes["forward_delay"].delay == pytest.approx(np.full(4, 0.001))
        assert again["forward"].delay == 0.0


def test_a_loop_that_closes_within_the_step_is_refused():
    row = rows(looped(forward=False, back=True))["projection 'back', delay"]
    assert row.status == "impossible" and "closes a loop for readers" in row.reason
    assert "another connection of the loop" in row.remedy


def test_rows_say_steps_initial_values_method_threshold_and_reset():
    plain = rows(network(LEAKY))
    assert plain["dt"].status == "approximated" and "dt = 0.001 s" in plain["dt"].remedy
    assert "set to 0" in plain["population 'layer', reset"].reason
    assert plain["population 'layer', method"].status == "exact"
    assert plain["population 'layer', initial values"].status == "exact"
    assert plain[STEP].status == "exact"
    exact = rows(network(cells.lif_delta(refractory="0 ms"), same_step=False))
    assert "Use method='euler'" in exact["population 'layer', method"].remedy
    assert "begins at -70" in exact["population 'layer', initial values"].reason
    assert "differ at equality alone" in exact["population 'layer', threshold"].reason
    assert "one step earlier" in exact[STEP].reason and "same_step=True" in exact[STEP].remedy


SUBTRACTING = ns.Cell(
    "dv/dt = -v / tau : mV", parameters={"tau": "10 ms"}, spike="v > 1 * mV",
    after_spike="v -= 1 * mV", receives={"synaptic": ns.Port("mV", into="v")}, name="leaky",
)  # fmt: skip


def equation(slope: str, *more: str, initial: Any = None) -> ns.Cell:
    """Return a cell of an equation of v over the inputs a and b."""
    return ns.Cell(
        "; ".join([f"dv/dt = {slope} : 1", *more]),
        parameters={
            "tau": "10 ms",
            **({"leak": np.array([1.0, 0.0, 1.0, 1.0])} if "leak" in slope else {}),
        },
        receives={"a": ns.Port("1"), "b": ns.Port("1")},
        step="v = v + dt / tau * (a + b - v)",
        spike="v > 1",
        after_spike="v = 0",
        initial=initial or {},
        name="own",
    )


def stepped(slope: str, *more: str, **step: Any) -> ns.Cell:
    """Return a cell over the input a, with statements of its own or a method."""
    return ns.Cell(
        "; ".join([f"dv/dt = {slope} : 1", *more]),
        parameters={"tau": "10 ms"},
        receives={"a": ns.Port("1")},
        spike="v > 1",
        after_spike="v = 0",
        **step,
    )


REFUSED = {
    "Izhikevich": (cells.izhikevich(synapse="delta"), "is not linear", "on 'spinnaker' if"),
    "conductances": (cells.lif_conductance(refractory="0 ms"), "", "Run it on 'cpu'"),
    "refractory": (cells.lif_delta(), "is refractory", "Set it to 0 ms"),
    "reset by subtraction": (SUBTRACTING, "its reset subtracts", "after_spike='v = reset'"),
    "two gains": (equation("(-v + a + 2 * b) / tau"), "with different factors", "into the weights"),
    "a leak of some": (equation("(-leak * v + a + b) / tau"), "leaks in some neurons only", ""),
    "a current at the start": (
        equation("(-v + s) / tau", "ds/dt = (a + b - s) / tau : 1", initial={"s": 1.0}),
        "'s' does not begin at 0",
        "Begin at 0",
    ),
}


@pytest.mark.parametrize(("cell", "reason", "remedy"), REFUSED.values(), ids=REFUSED)
def test_cells_without_a_word_in_nir_are_refused_with_the_remedy(tmp_path, cell, reason, remedy):
    port = cell.receives[0][0]
    net = network(cell, port=port)
    if cell.name == "own":
        source, layer = net.populations.values()
        net.project(source, layer, ns.all_to_all(), weight=1.0, port="b", same_step=True)
    row = rows(net)["population 'layer'"]
    assert row.status == "impossible"
    assert "is no neuron of NIR" in row.reason
    assert reason in row.reason and remedy in row.remedy
    with pytest.raises(ns.LoweringError, match="is no neuron of NIR"):
        ns.export(net, tmp_path / "net.nir", backend="nir")
    assert not list(tmp_path.iterdir())


DRIVEN = "(-v + s) / tau", "ds/dt = (3 * a - s) / tau : 1"
STEPPED = {
    "the current first": (
        stepped(*DRIVEN, step="s = s + dt * (3 * a - s) / tau; v = v + dt * (s - v) / tau"),
        "a",
        True,
    ),
    "the voltage first": (
        stepped(*DRIVEN, step="v = v + dt * (s - v) / tau; s = s + dt * (3 * a - s) / tau"),
        "a",
        False,
    ),
    "in closed form": (
        stepped("(-v + a) / tau", step="v = exp(-dt / tau) * v + (1 - exp(-dt / tau)) * a"),
        "a",
        False,
    ),
    "with a clip": (
        stepped("(-v + a) / tau", step="v = clip(v + dt * (a - v) / tau, -0.1, 9)"),
        "a",
        False,
    ),
    "jumped": (LEAKY, "synaptic", True),
    "a jumped current": (CURRENT, "synaptic", True),
}


@pytest.mark.parametrize(("cell", "port", "is_exact"), STEPPED.values(), ids=STEPPED)
def test_a_method_is_exact_only_if_the_file_steps_so(tmp_path, cell, port, is_exact):
    """What returns from the file steps as readers do: its spikes say which rows are true."""
    # A current of 1 raises the voltage by 100 in the end.
    net = network(cell, port=port, scale=0.01 if cell is CURRENT else 1.0)
    method = rows(net)["population 'layer', method"]
    assert method.status == ("exact" if is_exact else "approximated")
    if not is_exact:
        assert "not those of readers" in method.reason and "current = current + dt" in method.remedy
    path = ns.export(net, tmp_path / "net.nir", backend="nir")
    assert (volts(net, "v") == pytest.approx(volts(ns.from_nir(path, dt="1 ms"), "v"))) is is_exact


def volts(net: ns.Network, name: str) -> np.ndarray:
    """Return the voltages of the layer under given spikes, (steps, N)."""
    net.probes.clear()
    net.record(net.populations["layer"], name)
    run = ns.prepare(net, backend="reference")
    run.set("inputs", steps=[[1, 4, 5], [2, 5, 11], [3, 4]])
    run.run(25.0, progress=False)
    return run.result()["layer"].trace(name).values


def test_two_ports_of_one_equation_are_two_inputs_of_a_node(tmp_path):
    net = network(equation("(-v + a - b) / tau"), port="a")
    source, layer = net.populations.values()
    net.project(source, layer, ns.all_to_all(), weight=2.0, port="b", same_step=True, name="minus")
    nodes = exported(net, tmp_path)
    assert (nodes["minus"].weight == -2.0).all()
    assert (nodes["w"].weight == (np.arange(12) - 5.0).reshape(3, 4).T).all()


def test_a_port_that_no_equation_reads_is_refused():
    cell = equation("(-v + a) / tau")
    row = rows(network(cell, port="b"))["population 'layer'"]
    assert row.status == "impossible" and "no equation reads its port 'b'" in row.reason


def test_plasticity_drives_and_delays_of_edges_are_refused():
    net = network(LEAKY)
    layer = net.populations["layer"]
    delta = ns.Rule(edge="w : mV", handlers=[("pre", "out += w; w = 0.9 * w")], name="fading")
    net.project(layer, layer, ns.all_to_all(), rule=delta, weight=1.0, name="learning")
    net.poisson_drive(layer, n=2, rate=5, weight=1.0, name="drive")
    net.project(layer, layer, ns.one_to_one(), weight=1.0, delay=[1, 2, 3, 4], name="each")
    net.project(layer, layer, ns.from_arrays([0, 0], [1, 2]), weight=1.0, delay=[1, 2], name="two")
    by_place = rows(net)
    assert by_place["projection 'learning'"].status == "impossible"
    assert "NIR has no plasticity" in by_place["projection 'learning'"].reason
    assert by_place["drive 'drive'"].status == "impossible"
    assert by_place["projection 'each', delay"].status == "exact"
    assert "edges of one source differ" in by_place["projection 'two', delay"].reason


def test_a_wrong_name_an_old_file_and_a_run_are_refused(tmp_path):
    net = network(LEAKY)
    with pytest.raises(ns.NetworkError, match=r"expected a file whose name ends in \.nir"):
        ns.export(net, tmp_path / "net.h5", backend="nir")
    ns.export(net, tmp_path / "net.nir", backend="nir")
    with pytest.raises(ns.NetworkError, match="exists, expected a new file"):
        ns.export(net, tmp_path / "net.nir", backend="nir")
    with pytest.raises(ns.NetworkError, match="backend 'nir' runs nothing"):
        ns.simulate(net, "1 ms", backend="nir")
    with pytest.raises(ns.NetworkError, match="cannot map a network"):
        ns.map(net, backend="nir")
    with pytest.raises(ns.NetworkError, match="has no option 'threads'"):
        ns.check(net, backend="nir", threads=2)


@pytest.mark.parametrize("path", [None, 3, b"net.nir", "a\0b", ""])
def test_a_path_that_is_none_is_refused_by_reading_and_writing(path):
    with pytest.raises(ns.NetworkError, match="^export: found .*expected a path"):
        ns.export(network(LEAKY), path, backend="nir")
    with pytest.raises(ns.NetworkError, match="^from_nir: found .*expected a path"):
        ns.from_nir(path)


def test_a_file_that_could_not_be_finished_is_not_left_behind(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ns.NetworkError, match=r"net\.nir: cannot be written \(the disk is full\)"):
        ns.export(network(LEAKY), tmp_path / "net.nir", backend="nir")
    assert not list(tmp_path.iterdir())


def test_sources_without_edges_leave_a_delay_one_number(tmp_path):
    """Readers refuse delays that differ from neuron to neuron, as this one does."""
    net = ns.Network("halves", dt="1 ms")
    source = net.spike_source("inputs", 6, steps=[[1]] * 6)
    layer = net.population("layer", 4, LEAKY)
    net.project(source[2:5], layer, ns.all_to_all(), weight=1.0, delay="3 ms", name="w")
    nodes = exported(net, tmp_path)
    assert nodes["w_delay"].delay == pytest.approx(np.full(6, 0.004))
    again = ns.from_nir(tmp_path / "net.nir", dt="1 ms")
    assert again.projections["w"].delay == 3.0


def test_the_command_line_writes_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "import neurosim as ns\nfrom neurosim.models import cells\n"
        "net = ns.Network('own', dt='1 ms')\n"
        "net.population('p', 2, cells.lif_delta(refractory='0 ms'))\n"
    )
    assert main(["export", "own.py", "own.nir", "--backend", "nir"]) == 0
    assert "written: own.nir" in capsys.readouterr().out
    assert isinstance(nir.read("own.nir", type_check=False).nodes["p"], nir.LIF)


def biased() -> ns.Cell:
    return ns.Cell(
        "dv/dt = (-v + input + bias) / tau : 1",
        parameters={"tau": "10 ms", "bias": 0.0},
        receives={"input": ns.Port("1")},
        step="v = v + dt * (-v + input + bias) / tau",
        spike="v > 1",
        after_spike="v = 0",
    )


def convolved(bias: Any) -> ns.Network:
    net = ns.Network("convolved", dt="1 ms")
    source = net.spike_source("source", 36)
    layer = net.population("layer", 32, biased(), bias=bias)
    kernel = ns.convolution(np.arange(18.0).reshape(2, 1, 3, 3), shape=(1, 6, 6))
    net.project(source, layer, kernel, port="input", same_step=True, name="w")
    net.record(layer, "spikes")
    return net


def test_biases_that_differ_within_a_channel_are_those_of_a_matrix(tmp_path):
    """A Conv2d has one bias per channel."""
    per_channel = np.repeat([2.0, 3.0], 16)
    assert exported(convolved(per_channel), tmp_path)["w"].bias.tolist() == [2.0, 3.0]
    path = ns.export(convolved(np.arange(32.0)), tmp_path / "other.nir", backend="nir")
    node = nir.read(path, type_check=False).nodes["w"]
    assert isinstance(node, nir.Affine) and node.bias.tolist() == list(range(32))
    assert node.weight.shape == (32, 36) and node.weight[0, :3].tolist() == [0.0, 1.0, 2.0]
    again = ns.from_nir(path, dt="1 ms")
    assert again.populations["layer"].values["bias"].tolist() == list(range(32))


def test_a_bias_that_no_projection_carries_is_refused():
    net = ns.Network("alone", dt="1 ms")
    net.record(net.population("layer", 4, biased(), bias=2.0), "spikes")
    row = rows(net)["population 'layer', bias"]
    assert row.status == "impossible" and "nothing projects to it" in row.reason
    assert "equation of v" in row.remedy
    assert "population 'layer', bias" not in rows(convolved(2.0))
