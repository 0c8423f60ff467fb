"""A trained network runs on every backend, with the spikes that it had in training."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import layered, run_samples

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402

SAMPLES = 10


def random_spikes(steps: int, samples: int, size: int, *, rate: float = 0.2):
    generator = torch.Generator().manual_seed(5)
    return (torch.rand(steps, samples, size, generator=generator) < rate).double()


def train(trainer: Trainer, spikes, *, batches: int = 3, rate: float = 0.05) -> None:
    """Take some steps towards three spikes of each output neuron."""
    optimiser = torch.optim.SGD(trainer.parameters(), lr=rate)
    for _ in range(batches):
        optimiser.zero_grad()
        ((trainer(spikes)["output"].sum(0) - 3) ** 2).mean().backward()
        optimiser.step()


@pytest.mark.parametrize(("precision", "same_step"), [("float64", True), ("float32", False)])
def test_trained_values_give_the_same_spikes_on_cpu_and_reference(precision, same_step):
    net = layered(same_step=same_step)
    hidden = net.populations["hidden"]
    net.project(
        hidden,
        hidden,
        ns.fixed_probability(0.3),
        weight=ns.normal("0 mV", "4 mV"),
        delay=ns.integers(1, 4),
        name="loop",
    )
    learns = ["first", "second", "loop", "hidden.tau", "hidden.threshold", "output.v"]
    trainer = Trainer(
        net,
        inputs="inputs",
        outputs=["hidden", "output"],
        train=[*learns, "hidden.rest"],
        precision=precision,
    )
    spikes = random_spikes(40, SAMPLES, 50)
    before = {name: p.detach().clone() for name, p in trainer.named_parameters()}
    train(trainer, spikes)
    assert all(not torch.equal(p, before[name]) for name, p in trainer.named_parameters())
    expected = {name: s.detach().numpy() for name, s in trainer(spikes).items()}
    assert min(s.sum() for s in expected.values()) > 1000
    for backend in ("cpu", "reference"):
        measured = run_samples(
            trainer.network(),
            {"inputs": spikes.numpy()},
            populations=["hidden", "output"],
            backend=backend,
        )
        for name, recorded in measured.items():
            assert np.abs(recorded - expected[name]).sum() == 0


def test_the_network_that_was_given_does_not_change():
    net = layered()
    trainer = Trainer(net, inputs="inputs", outputs=["hidden", "output"], train=["first"])
    train(trainer, random_spikes(20, 4, 50))
    assert repr(net.projections["first"].weight) == repr(layered().projections["first"].weight)
    assert trainer.network().projections["first"].weight.shape == (2000,)


def test_weights_return_in_the_order_in_which_their_user_gave_them():
    net = ns.Network("order", dt="1 ms")
    source = net.spike_source("inputs", 3)
    target = net.population(
        "output",
        4,
        ns.Cell(
            "dv/dt = -v / (5 * ms) : 1", receives={"x": ns.Port("1", into="v")}, spike="v > 1e9"
        ),
    )
    # Out of order, within views that turn neurons round.
    connector = ns.from_arrays([2, 0, 1, 0], [1, 2, 0, 0])
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    net.project(source[::-1], target[[3, 1, 0]], connector, weight=weights, name="layer")
    trainer = Trainer(
        net, inputs="inputs", outputs="output.v", train=["layer"], precision="float64"
    )
    returned = trainer.network().projections["layer"].weight
    assert returned.tolist() == weights.tolist()
    spikes = torch.ones(2, 1, 3, dtype=torch.float64)
    trainer.eval()  # nothing spikes, which training warns of
    assert trainer(spikes)[1, 0].tolist() == pytest.approx(
        [np.exp(-0.2) * w for w in (2.0, 1.0, 0.0, 7.0)]
    )


def test_traces_are_those_that_a_run_records():
    net = layered()
    hidden = net.populations["hidden"]
    trainer = Trainer(
        net, inputs="inputs", outputs="hidden.v", train=["first"], precision="float64"
    )
    spikes = random_spikes(30, 1, 50)
    net.record(hidden, "v")
    run = ns.prepare(net, backend="reference")
    when, index = np.nonzero(spikes[:, 0].numpy())
    run.set("inputs", steps=(index, when))
    run.run("30 ms")
    expected = run.result()["hidden"].trace("v").values
    assert np.allclose(trainer(spikes)[:, 0].detach().numpy(), expected, rtol=0, atol=1e-12)
    assert (np.diff(expected, axis=0) != 0).any()


def test_neurons_within_rounding_of_their_threshold_are_named():
    net = ns.Network("near", dt="1 ms")
    source = net.spike_source("inputs", 1)
    cell = ns.Cell(
        "v : 1",
        receives={"x": ns.Port("1")},
        step="v = 0.5 * v + x",
        spike="v >= 1",
        after_spike="v = 0",
    )
    output = net.population("output", 3, cell)
    weights = np.array([0.5, 1.0 + 1e-9, 0.7])
    net.project(source, output, ns.all_to_all(), weight=weights, same_step=True, name="layer")
    trainer = Trainer(net, inputs="inputs", outputs="output", train=[], precision="float64")
    spikes = torch.ones(2, 2, 1)
    spikes[0, 1] = 0
    measured = trainer.near_threshold(spikes)
    where = [(n.population, n.step, n.sample, n.neuron) for n in measured]
    # It spikes at once and is reset; the second sample begins a step later.
    assert where == [("output", 0, 0, 1), ("output", 1, 0, 1), ("output", 1, 1, 1)]
    assert all(n.distance == pytest.approx(1e-9, rel=1e-6) for n in measured)
    assert trainer(spikes).sum() == 4 and trainer.near_threshold(spikes, within=1e-12) == []
