"""Projections of every form learn, and give the same spikes on cpu."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import run_samples

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.training import connections  # noqa: E402
from neurosim.gpu import Trainer  # noqa: E402

T, B = 15, 3
UNIT = ns.Cell(
    "v : 1",
    receives={"x": ns.Port("1")},
    step="v = 0.9 * v + x",
    spike="v >= 1",
    after_spike="v = 0",
    name="unit",
)
rng = np.random.default_rng(0)
KERNEL = rng.normal(0.2, 0.3, size=(3, 2, 3, 3))
FORMS = {
    "convolution": lambda: {
        "connector": ns.convolution(KERNEL, shape=(2, 6, 5), stride=(2, 1), padding=(1, 0))
    },
    "pooling": lambda: {"connector": ns.average_pooling(2, shape=(2, 6, 5), weight=1.5)},
    "matrix": lambda: {"connector": ns.all_to_all(), "weight": ns.normal(0.1, 0.1)},
    "edges": lambda: {"connector": ns.fixed_probability(0.3), "weight": ns.normal(0.3, 0.2)},
    "one": lambda: {"connector": ns.fixed_probability(0.3), "weight": 0.2},
    "shared": lambda: {
        "connector": ns.all_to_all(),
        "weight": ns.shared([0.0, 0.1, 0.3], index=np.arange(60 * 9) % 3),
    },
}
SIZES = {"convolution": 3 * 3 * 3, "pooling": 2 * 3 * 2}


def network(form: str, *, delay: object = 0.0, same_step: bool = True) -> ns.Network:
    net = ns.Network("form", dt="1 ms", seed=3)
    source = net.spike_source("inputs", 60)
    hidden = net.population("hidden", SIZES.get(form, 9), UNIT)
    output = net.population("output", 4, UNIT)
    net.project(source, hidden, **FORMS[form](), delay=delay, name="form", same_step=same_step)
    net.project(
        hidden, output, ns.all_to_all(), weight=ns.normal(0.2, 0.2), name="head", same_step=True
    )
    return net


def spikes() -> np.ndarray:
    return (np.random.default_rng(1).random((T, B, 60)) < 0.3).astype(float)


def check_round_trip(trainer: Trainer, samples: np.ndarray, *, inputs: str = "inputs") -> None:
    optimiser = torch.optim.SGD(trainer.parameters(), lr=0.01)
    for _ in range(2):
        optimiser.zero_grad()
        ((trainer(torch.from_numpy(samples))["output"].sum(0) - 5) ** 2).mean().backward()
        optimiser.step()
    expected = {name: s.detach().numpy() for name, s in trainer(torch.from_numpy(samples)).items()}
    assert expected["hidden"].sum() > 50 and expected["output"].sum() > 5
    recorded = run_samples(
        trainer.network(), {inputs: samples}, populations=["hidden", "output"], backend="cpu"
    )
    for name, measured in recorded.items():
        assert np.abs(measured - expected[name]).sum() == 0


@pytest.mark.parametrize("form", FORMS)
def test_projections_of_every_form_learn_and_run_on_cpu(form):
    learns = ["head"] if form in ("one", "pooling") else ["form", "head"]
    trainer = Trainer(
        network(form),
        inputs="inputs",
        outputs=["hidden", "output"],
        train=learns,
        precision="float64",
    )
    assert trainer._plan.connections["form"].form == form
    before = trainer[learns[0]].detach().clone()
    check_round_trip(trainer, spikes())
    assert not torch.equal(before, trainer[learns[0]])


def test_a_kernel_learns_in_the_form_of_torch():
    net = network("convolution")
    trainer = Trainer(net, inputs="inputs", outputs="hidden", train=["form"], precision="float64")
    assert trainer["form"].shape == KERNEL.shape
    assert np.array_equal(trainer["form"].detach().numpy(), KERNEL)


@pytest.mark.parametrize("form", ["edges", "matrix", "convolution"])
def test_one_weight_of_all_learns_for_each_edge(form):
    net = network("one")
    trainer = Trainer(net, inputs="inputs", outputs="hidden", train=["form"])
    count = trainer._plan.connections["form"].edges.sources.numel()
    assert trainer["form"].shape == (count,)


def test_edges_that_are_few_in_a_large_matrix_are_listed(monkeypatch):
    """The list gives the spikes and gradients of the matrix."""
    results = []
    for large in (1 << 22, 1):
        monkeypatch.setattr(connections, "_LARGE", large)
        monkeypatch.setattr(connections, "_FILLED", 2.0)
        trainer = Trainer(
            network("edges", delay=ns.integers(0, 4), same_step=False),
            inputs="inputs",
            outputs=["hidden", "output"],
            train=["form", "head"],
            precision="float64",
        )
        assert trainer._plan.connections["form"].dense == (large > 1)
        output = trainer(torch.from_numpy(spikes()))["output"]
        assert output.sum() > 5
        output.sum().backward()
        results.append((output, trainer["form"].grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-12, atol=1e-14)
    assert results[0][1].abs().max() > 0


@pytest.mark.parametrize("form", ["edges", "matrix", "shared"])
def test_delays_of_edges_count_in_training(form):
    delay = ns.integers(0, 4) if form == "edges" else "2 ms"
    trainer = Trainer(
        network(form, delay=delay, same_step=False),
        inputs="inputs",
        outputs=["hidden", "output"],
        train=["form"],
        precision="float64",
    )
    check_round_trip(trainer, spikes())


GRADED = ns.Rule(
    edge="w : 1", handlers=[("step", "out += w * (value_pre + 0.5)")], name="graded input"
)


def graded_network(rule: ns.Rule = GRADED) -> ns.Network:
    net = ns.Network("graded", dt="1 ms", seed=3)
    # A table in the network lets a run set tables, too.
    course = ns.table(np.zeros((1, 12)), every="1 ms")
    cell = ns.Cell(parameters={"value": 0.0}, name="pixels")
    pixels = net.population("pixels", 12, cell, value=course)
    hidden = net.population("hidden", 9, UNIT)
    output = net.population("output", 4, UNIT)
    weight = ns.normal(0.1, 0.2)
    net.project(pixels, hidden, ns.all_to_all(), weight=weight, rule=rule, name="first")
    net.project(hidden, output, ns.all_to_all(), weight=ns.normal(0.2, 0.2), name="head")
    return net


def test_real_values_reach_a_layer_through_weights_that_learn():
    """A graded rule multiplies a value by a weight in each step, here and on cpu."""
    values = np.random.default_rng(2).normal(0, 1, size=(T, B, 12))
    trainer = Trainer(
        graded_network(),
        inputs="pixels.value",
        outputs=["hidden", "output"],
        train=["first", "head"],
        precision="float64",
    )
    assert trainer.rows("first") == "input" and trainer.rows("head") == "spikes"
    optimiser = torch.optim.SGD(trainer.parameters(), lr=0.01)
    before = trainer["first"].detach().clone()
    ((trainer(torch.from_numpy(values))["output"].sum(0) - 5) ** 2).mean().backward()
    optimiser.step()
    assert not torch.equal(before, trainer["first"])
    output = trainer(torch.from_numpy(values))
    assert output["hidden"].sum() > 20
    net = trainer.network()
    for name in ("hidden", "output"):
        net.record(net.populations[name], "spikes")
    for b in range(B):
        run = ns.prepare(net, backend="cpu")
        run.set("pixels", value=ns.table(values[:, b], every="1 ms"))
        run.run(f"{T} ms")
        for name in ("hidden", "output"):
            train = run.result()[name].spikes
            expected = np.argwhere(output[name][:, b].detach().numpy())
            assert np.array_equal(np.stack([train.step, train.index], 1), expected)


@pytest.mark.parametrize(
    "handlers",
    [
        [("pre", "out += w; w += 0.1")],
        [("step", "out += w * w * value_pre")],
        [("step", "out += w * v_post")],
        [("step", "w += 0.1; out += w * value_pre")],
    ],
)
def test_rules_that_learn_by_themselves_are_refused(handlers):
    net = ns.Network("plastic", dt="1 ms")
    cell = ns.Cell("v : 1", parameters={"value": 0.0}, spike="v > 1", name="source")
    source = net.population("source", 3, cell)
    hidden = net.population("hidden", 3, UNIT)
    rule = ns.Rule(edge="w : 1", handlers=handlers, name="other")
    net.project(source, hidden, ns.all_to_all(), rule=rule, name="plastic")
    with pytest.raises(ns.NetworkError, match="'plastic' with the rule 'other', expected none, or"):
        Trainer(net, inputs="source.value", outputs="hidden", train=[])


def test_graded_projections_come_from_populations_that_do_not_spike():
    net = ns.Network("graded", dt="1 ms")
    net.spike_source("inputs", 1)
    source = net.population("source", 3, UNIT)
    hidden = net.population("hidden", 3, UNIT)
    rule = ns.Rule(edge="w : 1", handlers=[("step", "out += w * v_pre")], name="gap")
    net.project(source, hidden, ns.all_to_all(), rule=rule, name="graded")
    with pytest.raises(ns.NetworkError, match="'graded' from 'source', which spikes; expected"):
        Trainer(net, inputs="inputs", outputs="hidden", train=[])


def test_tables_that_are_no_input_count_in_training():
    net = ns.Network("tables", dt="1 ms")
    net.spike_source("inputs", 1)
    cell = ns.Cell("v : 1", parameters={"push": 0.0}, step="v = v + push", name="pushed")
    net.population("hidden", 2, cell, push=ns.table([[1.0, 2.0], [3.0, 4.0]], every="2 ms"))
    trainer = Trainer(net, inputs="inputs", outputs="hidden.v", train=[], precision="float64")
    course = trainer(torch.zeros(5, 1, 1))[:, 0]
    assert course.tolist() == [[1, 2], [2, 4], [5, 8], [8, 12], [11, 16]]


def test_a_convolution_of_values_learns_its_kernel_and_runs_elsewhere():
    """A rule has a weight per edge in memory; the kernel that they repeat is what learns."""
    kernel = np.random.default_rng(1).normal(0, 0.4, (4, 2, 3, 3))
    net = ns.Network("values", dt="1 ms", seed=1)
    source = net.population("pixels", 72, ns.Cell(parameters={"value": 0.0}))
    edges = ns.convolution(kernel, shape=(2, 6, 6), stride=2, padding=1)
    cell = ns.Cell(
        "u : 1",
        receives={"x": ns.Port("1")},
        step="u = 0.8 * u + x",
        spike="u >= 1",
        after_spike="u -= 1",
    )
    target = net.population("features", edges.target_size, cell)
    rule = ns.Rule(edge="w : 1", handlers=[("step", "out += w * value_pre")])
    net.project(source, target, edges, rule=rule, name="first")
    options = {"inputs": "pixels.value", "outputs": "features", "precision": "float64"}
    trainer = Trainer(net, train=["first"], **options)
    assert np.array_equal(trainer["first"].detach().numpy(), kernel)
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(3, 72, generator=generator, dtype=torch.float64).expand(7, -1, -1)
    trainer(values).sum().backward()
    assert trainer["first"].grad.shape == kernel.shape and trainer["first"].grad.abs().max() > 0
    with torch.no_grad():
        trainer["first"].add_(0.1)
    spikes = trainer(values)[:, 1].detach().numpy()
    trained = trainer.network()
    trained.record(trained["features"], "spikes")
    run = ns.prepare(trained, backend="cpu")
    run.set("pixels", value=values[0, 1].numpy())
    run.run("7 ms", progress=False)
    train = run.result()["features"].spikes
    measured = np.zeros_like(spikes)
    measured[train.step, train.index] = 1.0
    assert np.array_equal(measured, spikes) and spikes.sum() > 20
