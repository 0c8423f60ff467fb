"""Lateral learning as a rule of the language, against the circuits of the Trainer."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402
from neurosim.models.continual_learning import learn_tasks  # noqa: E402
from neurosim.models.orthogonal_projection import experiment  # noqa: E402
from neurosim.models.orthogonal_projection.deployment import (  # noqa: E402
    deploy,
    engine_spikes,
    quantise,
    quantised_accuracies,
    trainer_spikes,
)
from neurosim.models.orthogonal_projection.lateral import protect  # noqa: E402
from neurosim.models.orthogonal_projection.learner import make_learner  # noqa: E402
from neurosim.models.orthogonal_projection.rule import (  # noqa: E402
    lateral_network,
    lateral_rule,
    learn_minibatch,
    rows_of,
)
from neurosim.models.orthogonal_projection.settings import Settings  # noqa: E402
from neurosim.models.orthogonal_projection.subspace import Learning, Subspace  # noqa: E402


def minibatches(count: int = 3, samples: int = 4, size: int = 9) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(samples, size)) * np.linspace(3, 0.1, size) for _ in range(count)]


def subspace_of(levels: int) -> Subspace:
    """Return three old rows and four new ones."""
    like = torch.zeros(1, dtype=torch.float64)
    subspace = Subspace(9, Learning(levels=levels, rate=0.05), like=like)
    subspace.add(3, seed=1, name="old")
    subspace.merge()
    subspace.add(4, seed=1, name="new")
    return subspace


@pytest.mark.parametrize("levels", [0, 40])
def test_the_rule_learns_what_matrices_learn(backend, levels):
    subspace = subspace_of(levels)
    start = subspace.rows.numpy().copy()
    rule = lateral_rule(levels=levels, rate=0.05)
    run = ns.prepare(lateral_network(start, frozen=3, rule=rule), backend=backend)
    for x in minibatches():
        subspace.learn(torch.from_numpy(x))
        learn_minibatch(run, x)
    rows = rows_of(run)
    assert np.abs(rows - subspace.rows.numpy()).max() < 1e-12
    # Frozen rows keep their bits; the others have moved.
    assert np.array_equal(rows[:3], start[:3]) and np.abs(rows - start)[3:].max() > 0.1


@pytest.mark.parametrize("levels", [0, 40])
def test_cpu_and_reference_learn_the_same_bits(levels):
    rows = []
    for name in ("cpu", "reference"):
        start = subspace_of(levels).rows.numpy()
        rule = lateral_rule(levels=levels, rate=0.05)
        run = ns.prepare(lateral_network(start, frozen=3, rule=rule), backend=name)
        for x in minibatches():
            learn_minibatch(run, x)
        rows.append(rows_of(run))
    assert np.array_equal(*rows)


def test_the_rule_learns_what_the_circuit_of_a_trained_layer_learns():
    """Of the same rows of activity, minibatch by minibatch."""
    net = ns.Network("layer", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 9)
    cell = ns.Cell(
        "v : 1",
        receives={"x": ns.Port("1")},
        step="v = 0.9 * v + x",
        spike="v >= 1",
        after_spike="v -= 1",
    )
    output = net.population("output", 5, cell)
    everyone = ns.all_to_all()
    net.project(source, output, everyone, weight=ns.normal(0.3, 0.3), same_step=True, name="w")
    trainer = Trainer(net, inputs="inputs", outputs="output", train=["w"], precision="float64")
    circuits = protect(trainer, {"w": 4}, rate=0.05, seed=3)
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.01)
    circuits.begin_task(optimizer)
    run = ns.prepare(
        lateral_network(circuits.subspaces["w"].new.numpy(), rule=lateral_rule(rate=0.05)),
        backend="cpu",
    )
    start = rows_of(run)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        batch = (torch.rand(3, 2, 9, generator=generator) < 0.5).double()
        optimizer.zero_grad()
        spikes = trainer(batch)
        assert spikes.sum() > 5
        spikes.sum().backward()
        optimizer.step()
        learn_minibatch(run, batch.flatten(0, 1).numpy())
    assert np.abs(rows_of(run) - circuits.subspaces["w"].new.numpy()).max() < 1e-12
    assert np.abs(rows_of(run) - start).max() > 0.01


# ---- after training


@pytest.mark.parametrize("way", ["dsr", "bptt"])
def test_a_trained_network_has_the_same_spikes_on_cpu(way):
    settings = Settings(way=way, inputs=20, hidden=30, classes=4, batch=16, epochs=2)
    learner = make_learner(settings, 1)
    tasks = experiment._tiny_tasks(2)
    learn_tasks(learner, tasks, progress=False)
    done = deploy(learner, tasks, samples=4)
    assert done.spikes > 100 and done.differing == 0
    assert min(done.accuracies) > 0.5
    # Sixteen bits lose nothing here; two do.
    assert np.allclose(done.quantised, done.accuracies, atol=0.05)
    assert quantised_accuracies(learner, tasks, bits=2) != done.accuracies
    assert done.refused and all(": " in row for row in done.refused)
    # The weights are those of training again.
    assert learner.accuracy(tasks[0].test, 0) == done.accuracies[0]


def test_a_comparison_with_another_network_finds_differences():
    settings = Settings(way="bptt", inputs=20, hidden=30, classes=4)
    values = experiment._tiny_tasks(1)[0].test.take(slice(0, 3))
    spikes = trainer_spikes(make_learner(settings, 1), values)
    other = engine_spikes(make_learner(settings, 2), values, backend="cpu")
    assert (spikes["hidden1"] != other["hidden1"]).sum() > 10


def test_weights_are_whole_steps_of_the_largest():
    weight = torch.tensor([0.1, -0.5, 1.0, 0.0])
    assert torch.equal(quantise(weight, 3), torch.tensor([0.0, -2 / 3, 1.0, 0.0]))
    assert torch.equal(quantise(torch.zeros(2), 3), torch.zeros(2))
