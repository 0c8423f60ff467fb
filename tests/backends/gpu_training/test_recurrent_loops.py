"""Populations that act on each other by loops: the spikes and gradients of steps one by one."""

from __future__ import annotations

import pytest

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from support.both_ways import compare, trained  # noqa: E402

from neurosim.backends.gpu.training import connections  # noqa: E402
from neurosim.gpu import Trainer, Truncated  # noqa: E402

# Far below any effect, far above rounding that spikes of steep cells have multiplied.
ROUNDING = 1e-11


def spikes(steps: int, samples: int, neurons: int):
    """Return input spikes."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(steps, samples, neurons, generator=generator) < 0.3).double()


def heterogeneous() -> ns.Network:
    """Return Izhikevich neurons that all differ and that all reach each other."""
    net = ns.Network("heterogeneous", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 12)
    neurons = net.population(
        "neurons",
        20,
        cells.izhikevich(synapse="exponential"),
        a=ns.uniform("0.02 1/ms", "0.1 1/ms"),
        b=ns.uniform("0.2 1/ms", "0.25 1/ms"),
        c=ns.uniform("-65 mV", "-50 mV"),
        d=ns.uniform("2 mV/ms", "8 mV/ms"),
    )
    for before, weight, name in (
        (source, ns.normal("3 mV/ms", "2 mV/ms"), "layer"),
        (neurons, ns.normal("0 mV/ms", "1 mV/ms"), "loop"),
    ):
        net.project(before, neurons, ns.all_to_all(), weight=weight, port="synaptic", name=name)
    return net


def circle(*, refractory: str = "2 ms") -> ns.Network:
    """Return two populations that act on each other and themselves, with several delays.

    One projection acts within the step, the way back takes steps.
    """
    net = ns.Network("circle", dt="1 ms", seed=3)
    source = net.spike_source("inputs", 15)
    first = net.population("first", 12, cells.lif_delta(tau="10 ms", refractory=refractory))
    second = net.population("second", 9, cells.lif_delta(tau="6 ms", refractory=refractory))
    some = ns.fixed_probability(0.5)
    weight = ns.normal("2 mV", "5 mV")
    net.project(source, first, ns.all_to_all(), weight=weight, name="layer")
    net.project(first, second, some, weight=weight, same_step=True, name="there")
    delay = ns.uniform("0 ms", "4 ms")
    net.project(second, first, some, weight=weight, delay=delay, round_delays=True, name="back")
    net.project(first, first, some, weight=weight, delay="3 ms", name="loop")
    # Creation puts known input between recurrent input, so that the order of the sum matters.
    net.project(source, first, ns.all_to_all(), weight=weight, delay="2 ms", name="late")
    return net


def test_heterogeneous_izhikevich_neurons_that_reach_each_other_run_as_loops():
    output = compare(
        heterogeneous(),
        spikes(60, 3, 12),
        inputs="inputs",
        outputs=["neurons", "neurons.v"],
        train=["layer", "loop", "neurons.a", "neurons.b", "neurons.c", "neurons.d", "neurons.v"],
        precision="float64",
        tolerance=ROUNDING,
    )
    assert output["neurons"].sum() > 20


CIRCLE = {
    "inputs": "inputs",
    "outputs": ["second", "first.v"],
    "train": ["layer", "there", "back", "loop", "late", "first.tau", "second.threshold"],
    "precision": "float64",
}


@pytest.mark.parametrize("sparse", [False, True], ids=["matrices", "edges"])
def test_populations_that_act_on_each_other_with_several_delays_run_as_loops(monkeypatch, sparse):
    if sparse:
        # No matrix is small enough to be filled.
        monkeypatch.setattr(connections, "_LARGE", 0)
        monkeypatch.setattr(connections, "_FILLED", 2.0)
    output = compare(circle(), spikes(40, 3, 15), tolerance=ROUNDING, **CIRCLE)
    assert output["second"].sum() > 20


METHODS = {"truncated": Truncated(7), "e-prop": "e-prop", "ottt": "ottt"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_methods_cut_the_same_gradients_of_recurrent_loops(method):
    weights = ["layer", "there", "back", "loop", "late"]
    options = CIRCLE | {"outputs": ["first", "second"], "train": weights}
    compare(circle(), spikes(40, 3, 15), tolerance=ROUNDING, method=method, **options)


def test_images_that_act_on_themselves_by_shared_weights_run_as_loops():
    net = ns.Network("images", dt="1 ms", seed=2)
    source = net.spike_source("inputs", 15)
    cell = cells.lif_delta(tau="10 ms", refractory="2 ms")
    image = net.population("image", 32, cell)
    small = net.population("small", 8, cell)
    weight = ns.normal("3 mV", "5 mV")
    net.project(source, image, ns.all_to_all(), weight=weight, name="layer")
    kernel = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1)).numpy() * 2
    window = ns.convolution(kernel, shape=(2, 4, 4), padding=1)
    net.project(image, image, window, name="window")
    pooling = ns.average_pooling(2, shape=(2, 4, 4), weight="20 mV")
    net.project(image, small, pooling, same_step=True, name="pooling")
    net.project(small, image, ns.all_to_all(), weight=weight, name="back")
    output = compare(
        net,
        spikes(30, 2, 15),
        inputs="inputs",
        outputs=["image", "small"],
        train=["layer", "window", "back", "image.tau"],
        precision="float64",
        tolerance=ROUNDING,
    )
    assert output["small"].sum() > 20


@pytest.mark.parametrize("feedback", ["random", "none"])
def test_errors_of_recurrent_loops_go_back_by_the_matrices_of_feedback(feedback):
    matrices = {"loop": feedback, "back": feedback}
    output = compare(circle(), spikes(40, 3, 15), tolerance=ROUNDING, feedback=matrices, **CIRCLE)
    assert output["second"].any()


def test_a_factor_and_hooks_of_rows_act_on_recurrent_loops_as_on_steps_one_by_one():
    results = []
    for compiled in (False, True):
        trainer = Trainer(circle(), compiled=compiled, **CIRCLE)
        trainer.project("loop", lambda rows: rows * torch.linspace(0, 1, 12).double())
        heard: dict = {}
        trainer.on_rows(heard.__setitem__)
        optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
        trainer.attach(optimizer)
        trainer(spikes(40, 3, 15))["second"].sum().backward()
        gradient = trainer["loop"].grad.clone()
        optimizer.step()
        results.append((heard, gradient))
    (rows, gradient), (compiled_rows, compiled_gradient) = results
    assert rows.keys() == {"layer", "there", "back", "loop", "late"}
    assert all(torch.equal(rows[name], compiled_rows[name]) for name in rows)
    assert gradient.any()
    assert torch.allclose(gradient, compiled_gradient, rtol=ROUNDING)


def test_recurrent_loops_run_without_gradients_and_longer_than_one_segment(monkeypatch):
    from neurosim.backends.gpu.training.loops import passes

    # Segments of four steps: 3 samples of 12 neurons.
    monkeypatch.setattr(passes, "_CACHED", 4 * 36)
    batch = spikes(41, 3, 15)
    output = compare(circle(), batch, tolerance=ROUNDING, **CIRCLE)
    trainer = Trainer(circle(), compiled=True, **CIRCLE).eval()
    with torch.no_grad():
        measured = trainer(batch)
    assert all(torch.equal(measured[name], values) for name, values in output.items())


def test_recurrent_loops_of_one_step_and_one_sample_give_numbers():
    output, gradients, _ = trained(circle(), spikes(1, 1, 15), compiled=True, **CIRCLE)
    expected, others, _ = trained(circle(), spikes(1, 1, 15), **CIRCLE)
    assert all(torch.equal(output[name], expected[name]) for name in expected)
    for name, gradient in others.items():
        # A projection whose spikes never arrive has no gradient either way.
        measured = gradients[name]
        zero = gradient is None or not gradient.any()
        assert (
            (measured is None or not measured.any())
            if zero
            else torch.allclose(measured, gradient, rtol=ROUNDING)
        )
