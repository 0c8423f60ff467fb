"""Hooks, slots, freezing and heads: what models of learning add to training."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import layered

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402

T, B = 10, 4


def spikes():
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(T, B, 50, generator=generator) < 0.3).double()


def trainer_of(net: ns.Network | None = None, **options) -> Trainer:
    options = {"outputs": "output", "train": ["first", "second", "hidden.tau"]} | options
    return Trainer(net or layered(same_step=True), inputs="inputs", precision="float64", **options)


def test_hooks_run_after_the_backward_pass_gradients_first_then_rows():
    trainer = trainer_of()
    order = []
    rows = {}

    def of_gradient(name, gradient):
        order.append(("gradient", name))
        assert torch.equal(gradient, trainer[name].grad)
        return 2 * gradient if name == "first" else None

    def of_rows(name, matrix):
        order.append(("rows", name))
        rows[name] = matrix

    trainer.on_rows(of_rows)
    trainer.on_gradient(of_gradient)
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.5)
    trainer.attach(optimizer)
    before = {name: trainer[name].detach().clone() for name in trainer.learns}
    output = trainer(spikes())
    assert output.sum() > 50 and order == []
    output.sum().backward()
    gradients = {name: trainer[name].grad.clone() for name in trainer.learns}
    optimizer.step()
    assert order == [
        ("gradient", "first"),
        ("gradient", "second"),
        ("gradient", "hidden.tau"),
        ("rows", "first"),
        ("rows", "second"),
    ]
    assert torch.equal(rows["first"], spikes().flatten(0, 1))
    assert rows["second"].shape == (T * B, 40) and rows["second"].sum() > 50
    assert torch.allclose(trainer["first"], before["first"] - gradients["first"])
    assert torch.allclose(trainer["second"], before["second"] - 0.5 * gradients["second"])


def test_rows_of_recomputed_steps_are_stored_once():
    counts = []
    for chunk in (None, 3):
        net = layered()
        hidden = net.populations["hidden"]
        net.project(hidden, hidden, ns.all_to_all(), weight="0.1 mV", name="loop")
        trainer = trainer_of(net, train=["loop"], chunk=chunk)
        trainer.on_rows(lambda name, matrix: counts.append(matrix))
        optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
        trainer.attach(optimizer)
        trainer(spikes()).sum().backward()
        optimizer.step()
    assert counts[0].shape == ((T - 1) * B, 40) and counts[0].sum() > 50
    assert torch.equal(counts[0], counts[1])


def test_hooks_that_no_optimiser_runs_are_an_error():
    trainer = trainer_of()
    trainer.on_gradient(lambda name, gradient: None)
    with pytest.raises(ns.NetworkError, match="found hooks, but no optimiser that runs them. Call"):
        trainer(spikes())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.01), "SGD: found weight decay beside a"),
        (lambda p: torch.optim.AdamW(p, 0.1), "AdamW: found weight decay beside"),
        (lambda p: torch.optim.Adam(p, 0.1), "Adam: found steps that are no multiples of the grad"),
        (lambda p: torch.optim.SGD(p, float("nan")), "group 0: found the learning rate nan"),
    ],
)
def test_optimisers_that_leave_a_projection_are_refused(make, message):
    trainer = trainer_of()
    trainer.on_gradient(lambda name, gradient: None, projects=True)
    with pytest.raises(ns.NetworkError, match=message):
        trainer.attach(make(trainer.parameters()))
    trainer.attach(torch.optim.SGD(trainer.parameters(), 0.1, momentum=0.9))


def test_the_presynaptic_factor_of_a_weight_gradient_is_mapped_and_nothing_else():
    """A projection of rows equals one of the gradient along its inputs."""
    plain, mapped = trainer_of(), trainer_of()
    rows = torch.linalg.qr(torch.randn(40, 5, dtype=torch.float64))[0].T
    mapped.project("second", lambda x: x - (x @ rows.T) @ rows)
    outputs = [trainer(spikes()) for trainer in (plain, mapped)]
    assert torch.equal(*outputs) and outputs[0].sum() > 50
    for output in outputs:
        output.sum().backward()
    gradient = plain["second"].grad
    expected = gradient - (gradient @ rows.T) @ rows
    assert torch.allclose(mapped["second"].grad, expected, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(gradient, expected)
    for name in ("first", "hidden.tau"):
        assert torch.allclose(mapped[name].grad, plain[name].grad, rtol=1e-12)


def test_frozen_names_do_not_learn_until_they_are_thawed():
    trainer = trainer_of()
    trainer.freeze("first", "hidden.tau")
    trainer(spikes()).sum().backward()
    assert trainer["first"].grad is None and trainer["hidden.tau"].grad is None
    assert trainer["second"].grad.abs().max() > 0
    trainer.thaw("first")
    trainer(spikes()).sum().backward()
    assert trainer["first"].grad.abs().max() > 0
    with pytest.raises(ns.NetworkError, match="no learning name 'third'"):
        trainer.freeze("first", "third")
    assert trainer["first"].requires_grad


def test_each_head_is_computed_and_learns_by_its_name():
    net = layered(same_step=True)
    hidden = net.populations["hidden"]
    head = net.population("head", 3, net.populations["output"].cell)
    weight = ns.normal("4 mV", "2 mV")
    net.project(hidden, head, ns.all_to_all(), weight=weight, name="third", same_step=True)
    trainer = trainer_of(net, outputs=["output", "head"], train=["second", "third"])
    both = trainer(spikes())
    one = trainer(spikes(), outputs="head")
    assert torch.equal(both["head"], one) and one.sum() > 20
    one.sum().backward()
    assert trainer["second"].grad is None and trainer["third"].grad.abs().max() > 0
    with pytest.raises(ns.NetworkError, match="outputs: there is no output 'heads'"):
        trainer(spikes(), outputs="heads")


def test_steps_that_are_computed_again_give_the_same_gradients():
    gradients = []
    for chunk in (None, 1, 4, 100):
        net = layered()
        hidden = net.populations["hidden"]
        net.project(hidden, hidden, ns.fixed_probability(0.4), weight="2 mV", name="loop")
        learns = ["first", "loop", "hidden.tau", "hidden.v"]
        trainer = trainer_of(net, train=learns, chunk=chunk)
        output = trainer(spikes())
        assert output.sum() > 30
        (output.sum(0) ** 2).sum().backward()
        gradients.append([trainer[name].grad for name in learns])
    for later in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], later, strict=True))
    assert all(g.abs().max() > 0 for g in gradients[0])


def test_noise_of_training_differs_from_batch_to_batch_and_that_of_tests_does_not():
    net = ns.Network("noise", dt="1 ms")
    net.spike_source("inputs", 50)
    cell = ns.Cell("v : 1", step="v = normal()", spike="v > 1", name="noise")
    net.population("output", 30, cell)
    trainer = trainer_of(net, train=[])
    first, second = trainer(spikes()), trainer(spikes())
    assert not torch.equal(first, second) and first.sum() > 20
    assert int(trainer.samples_seen) == 2 * B
    trainer.eval()
    assert torch.equal(trainer(spikes()), trainer(spikes()))
    # Sample b has the replica b, as every backend counts them.
    assert torch.equal(trainer(spikes()), first)
    run = ns.prepare(_recorded(net), backend="cpu", replica=2)
    run.run(f"{T} ms")
    train = run.result()["output"].spikes
    expected = np.argwhere(first[:, 2].detach().numpy())
    assert np.array_equal(np.stack([train.step, train.index], 1), expected)


def _recorded(net: ns.Network) -> ns.Network:
    net.record(net.populations["output"], "spikes")
    return net


# ---- rows by which an error is multiplied


def graded_net() -> ns.Network:
    """Return values that enter a layer of neurons for DSR, and a readout of it."""
    net = ns.Network("graded", dt="1 ms", seed=1)
    source = net.population("pixels", 6, ns.Cell(parameters={"value": 0.0}))
    cell = ns.Cell(
        "u : 1",
        receives={"x": ns.Port("1")},
        step="u = 0.8 * u + x",
        spike="u >= 1",
        after_spike="u -= 1",
    )
    hidden = net.population("hidden", 5, cell)
    readout = ns.Cell("v : 1", receives={"x": ns.Port("1")}, step="v = x")
    output = net.population("output", 3, readout)
    rule = ns.Rule(edge="w : 1", handlers=[("step", "out += w * value_pre")])
    everyone = ns.all_to_all()
    net.project(source, hidden, everyone, rule=rule, weight=ns.normal(0.2, 0.3), name="first")
    weight = ns.normal(0, 1)
    net.project(hidden, output, everyone, weight=weight, same_step=True, name="second")
    return net


def graded_trainer(method: str) -> Trainer:
    return Trainer(
        graded_net(),
        inputs="pixels.value",
        outputs="output.v",
        train=["first", "second"],
        precision="float64",
        method=method,
    )


@pytest.mark.parametrize("method", ["bptt", "dsr", "ottt"])
def test_input_that_is_constant_in_time_is_multiplied_once_with_the_same_result(method):
    """Steps that share memory are one step; a copy of them is not."""
    values = torch.rand(B, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shared = values.expand(T, -1, -1)
    results = []
    for batch in (shared, shared.clone()):
        trainer = graded_trainer(method)
        output = trainer(batch)
        (output**2).sum().backward()
        results.append((output.detach(), trainer["first"].grad, trainer["second"].grad))
    for one, copied in zip(*results, strict=True):
        assert torch.allclose(one, copied, rtol=1e-12, atol=1e-12) and one.abs().max() > 0.1


def test_rows_of_rates_are_weighted_means_from_the_first_call_on():
    """Of the input of a layer, and of spikes that a readout weighs as their source does."""
    trainer = graded_trainer("dsr")
    values = torch.rand(T, B, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = trainer.collect_rows(values)
    weights = 0.8 ** torch.arange(T - 1, -1, -1, dtype=torch.float64)
    weights = (weights / weights.sum())[:, None, None]
    # Values arrive one step after they are set.
    assert torch.allclose(rows["first"], (values[:-1] * weights[:-1]).sum(0))
    assert rows["second"].shape == (B, 5) and rows["second"].max() > 0.05
    again = trainer.collect_rows(values)
    assert torch.equal(rows["second"], again["second"])
    # Batches of another length change nothing afterwards.
    trainer.memory(T, B)
    assert torch.equal(trainer.collect_rows(values)["second"], rows["second"])
    constant = trainer.collect_rows(values[0].expand(T, -1, -1))
    assert torch.allclose(constant["first"], values[0])


def test_rows_of_a_convolution_are_patches_also_of_rates():
    kernel = np.random.default_rng(1).normal(0.1, 0.3, (4, 1, 2, 2))
    net = ns.Network("grid", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 9)
    edges = ns.convolution(kernel, shape=(1, 3, 3))
    features = net.population("features", 16, graded_net().populations["hidden"].cell)
    net.project(source, features, edges, same_step=True, name="first")
    batch = (torch.rand(T, B, 9, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    for method, rows in (("bptt", T * B * 4), ("dsr", B * 4)):
        trainer = Trainer(
            net,
            inputs="inputs",
            outputs="features",
            train=["first"],
            precision="float64",
            method=method,
        )
        assert trainer.row_size("first") == 4
        matrix = trainer.collect_rows(batch)["first"]
        assert matrix.shape == (rows, 4)
    weights = 0.8 ** torch.arange(T - 1, -1, -1, dtype=torch.float64)
    mean = (batch * (weights / weights.sum())[:, None, None]).sum(0).view(B, 3, 3)
    assert torch.allclose(matrix[3], mean[0, 1:, 1:].flatten())


@pytest.mark.parametrize("method", ["bptt", "dsr"])
def test_values_that_only_a_rule_reads_may_be_compiled_too(method):
    values = torch.rand(B, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for compiled in (False, True):
        trainer = Trainer(
            graded_net(),
            inputs="pixels.value",
            outputs="output.v",
            train=["first", "second"],
            precision="float64",
            method=method,
            compiled=compiled,
        )
        output = trainer(values.expand(T, -1, -1))
        (output**2).sum().backward()
        results.append((output.detach(), trainer["first"].grad))
    for plain, loops in zip(*results, strict=True):
        assert torch.allclose(plain, loops, rtol=1e-10, atol=1e-12) and plain.abs().max() > 0.1
