"""Lateral circuits: what they learn, what they keep from changing, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import layered

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402
from neurosim.models.continual_learning import Rehearsal, learn_tasks  # noqa: E402
from neurosim.models.orthogonal_projection import experiment  # noqa: E402
from neurosim.models.orthogonal_projection.checks import CHECKS, EXPERIMENTS  # noqa: E402
from neurosim.models.orthogonal_projection.dimensions import (  # noqa: E402
    needed_rows,
    principal_angles,
    principal_directions,
)
from neurosim.models.orthogonal_projection.lateral import protect  # noqa: E402
from neurosim.models.orthogonal_projection.learner import make_learner, projected  # noqa: E402
from neurosim.models.orthogonal_projection.settings import Settings  # noqa: E402
from neurosim.models.orthogonal_projection.subspace import Learning, Subspace  # noqa: E402

T, B = 10, 4


def spikes(number: int = 1):
    generator = torch.Generator().manual_seed(number)
    return (torch.rand(T, B, 50, generator=generator) < 0.3).double()


def trainer_of(net: ns.Network | None = None, **options) -> Trainer:
    options = {"outputs": "output", "train": ["first", "second"]} | options
    net = net or layered(same_step=True)
    return Trainer(net, inputs="inputs", precision="float64", **options)


def step(trainer, optimizer, number: int = 1) -> dict:
    """Take a step of training; return the gradients after all hooks."""
    optimizer.zero_grad()
    output = trainer(spikes(number))
    assert output.sum() > 20
    (output.sum(0) ** 2).sum().backward()
    optimizer.step()
    return {name: trainer[name].grad.clone() for name in trainer.learns}


def sgd(trainer, **options):
    return torch.optim.SGD(trainer.parameters(), lr=1e-4, **options)


def two_tasks(trainer, rows=None, **options):
    """Return circuits in their second task, whose old rows have learned a little."""
    circuits = protect(trainer, rows or {"first": 4, "second": 3}, **options)
    optimizer = sgd(trainer)
    circuits.begin_task(optimizer)
    for number in range(1, 6):
        step(trainer, optimizer, number)
    circuits.end_task()
    optimizer = sgd(trainer)
    circuits.begin_task(optimizer)
    return circuits, optimizer


UNITS = ["U1", "U2", "U3", "U4", "U5"]


@pytest.mark.experiment
@pytest.mark.parametrize("check", [c for c in CHECKS if c.id in UNITS], ids=lambda c: c.id)
def test_units_are_as_published(check):
    results = {name: EXPERIMENTS[name]("cpu") for name in check.needs}
    measured, passed = check.judge(results)
    assert passed, measured


def test_rows_find_the_main_directions_and_stay_orthonormal():
    """P1 with a fifth of the minibatches, and a rate five times as large."""
    data = experiment._Gaussian(3, "data", experiment._two_levels())
    like = torch.zeros(1, dtype=torch.float64)
    subspace = Subspace(100, Learning(rate=0.05), like=like)
    subspace.add(10, seed=3, name="rows")
    assert experiment.alignment(subspace.rows, data.basis(10)) < 0.3
    for number in range(25):
        subspace.learn(data.batch(number))
    assert experiment.alignment(subspace.rows, data.basis(10)) > 0.98
    assert subspace.deviation() < 0.05


@pytest.mark.parametrize("samples", [3, 400])
def test_all_ways_of_computing_a_step_give_the_same_rows(samples):
    """By rows, by the correlation, and by responses, which spiking neurons need."""
    x = torch.randn(samples, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    like = torch.zeros(1, dtype=torch.float64)
    results = []
    for levels in (0, 10**12):
        subspace = Subspace(30, Learning(levels=levels, largest=1e4), like=like)
        subspace.add(4, seed=1, name="first")
        subspace.merge()
        subspace.add(5, seed=1, name="second")
        subspace.learn(x)
        results.append(subspace.rows)
    # As the specification writes it, without momentum before the first step.
    h = Subspace(30, Learning(), like=like)
    h.add(4, seed=1, name="first")
    h.merge()
    h.add(5, seed=1, name="second")
    old, new, delta = h.old, h.new, torch.zeros(5, 30, dtype=torch.float64)
    for _ in range(5):
        both = torch.cat([old, new])
        y = x @ both.T
        d = (y[:, 4:].T @ (x - y @ both) / samples).clamp(-10, 10)
        delta = 0.9 * delta + 0.1 * d
        new = new + 0.01 * delta
    for rows in results:
        assert torch.allclose(rows, torch.cat([old, new]), rtol=0, atol=1e-8)
    assert (new - h.new).abs().max() > 1e-4


def test_spiking_neurons_respond_in_levels_up_to_the_largest():
    like = torch.zeros(1, dtype=torch.float64)
    subspace = Subspace(4, Learning(levels=10, largest=20.0), like=like)
    responses = subspace.respond(torch.tensor([0.9, 1.1, -3.2, 19.5, 25.0, -99.0]))
    assert responses.tolist() == [0.0, 2.0, -4.0, 20.0, 20.0, -20.0]


@pytest.mark.parametrize("levels", [0, 100_000])
def test_gradients_of_a_later_task_are_orthogonal_to_old_rows(levels):
    trainer = trainer_of()
    circuits, optimizer = two_tasks(trainer, levels=levels)
    gradients = step(trainer, optimizer)
    for name in ("first", "second"):
        old = circuits.subspaces[name].old
        # Rows that have just begun to learn are not quite orthonormal.
        basis = torch.linalg.qr(old.T)[0].T
        along = gradients[name] @ basis.T
        assert gradients[name].norm() > 1e-3
        assert along.norm() < 0.02 * gradients[name].norm()


def test_layers_that_are_not_named_learn_as_before():
    plain, protected = trainer_of(), trainer_of()
    _, optimizer = two_tasks(protected, {"first": 4})
    # The same weights, so that the gradients may be compared.
    plain.load_state_dict(protected.state_dict())
    other = sgd(plain)
    plain.attach(other)
    expected, gradients = step(plain, other), step(protected, optimizer)
    assert torch.equal(expected["second"], gradients["second"])
    assert not torch.allclose(expected["first"], gradients["first"])


def test_a_convolution_is_protected_by_its_patches():
    kernel = np.random.default_rng(1).normal(0, 8, (6, 2, 3, 3))
    net = ns.Network("grid", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 50)
    edges = ns.convolution(kernel, shape=(2, 5, 5))
    cell = layered().populations["hidden"].cell
    features = net.population("output", edges.target_size, cell)
    net.project(source, features, edges, same_step=True, name="first")
    trainer = trainer_of(net, train=["first"])
    circuits, optimizer = two_tasks(trainer, {"first": 5})
    subspace = circuits.subspaces["first"]
    assert subspace.size == 18 and subspace.old.shape == (5, 18)
    rows = trainer.collect_rows(spikes())["first"]
    assert rows.shape == (T * B * 9, 18)
    gradient = step(trainer, optimizer)["first"].flatten(1)
    basis = torch.linalg.qr(subspace.old.T)[0].T
    assert (gradient @ basis.T).norm() < 0.02 * gradient.norm()


def test_weights_of_single_edges_are_protected_by_their_presynaptic_factor():
    net = ns.Network("edges", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 50)
    cell = layered().populations["hidden"].cell
    output = net.population("output", 20, cell)
    chosen = ns.fixed_probability(0.5)
    weight = ns.normal("3 mV", "4 mV")
    net.project(source, output, chosen, weight=weight, same_step=True, name="first")
    plain, protected = trainer_of(net, train=["first"]), trainer_of(net, train=["first"])
    circuits, optimizer = two_tasks(protected, {"first": 4})
    plain.load_state_dict(protected.state_dict())
    other = sgd(plain)
    plain.attach(other)
    expected, gradients = step(plain, other), step(protected, optimizer)
    assert circuits.subspaces["first"].old.shape == (4, 50)
    assert not torch.allclose(expected["first"], gradients["first"])


def test_the_forward_pass_and_the_first_task_are_those_of_plain_training():
    plain, protected = trainer_of(), trainer_of()
    circuits = protect(protected, {"first": 4, "second": 3})
    optimizers = sgd(plain), sgd(protected)
    plain.attach(optimizers[0])
    circuits.begin_task(optimizers[1])
    for number in range(1, 4):
        expected = step(plain, optimizers[0], number)
        gradients = step(protected, optimizers[1], number)
        assert all(torch.equal(expected[n], gradients[n]) for n in expected)
    circuits.end_task()
    assert torch.equal(plain(spikes()), protected(spikes()))


def test_paused_circuits_neither_project_nor_learn():
    trainer = trainer_of()
    circuits, optimizer = two_tasks(trainer)
    before = circuits.state()
    plain = trainer_of()
    plain.load_state_dict(trainer.state_dict())
    other = sgd(plain)
    plain.attach(other)
    with circuits.paused():
        gradients = step(trainer, optimizer)
    expected = step(plain, other)
    assert all(torch.equal(expected[n], gradients[n]) for n in expected)
    for name, state in circuits.state()["subspaces"].items():
        assert all(torch.equal(state[k], before["subspaces"][name][k]) for k in state)


# ---- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1), "SGD: found weight decay beside a"),
        (lambda p: torch.optim.Adam(p, 0.1), "Adam: found steps that are no multiples of the grad"),
    ],
)
def test_optimisers_that_leave_the_projection_are_refused_and_nothing_changes(make, message):
    trainer = trainer_of()
    circuits = protect(trainer, {"first": 4})
    with pytest.raises(ns.NetworkError, match=message):
        circuits.begin_task(make(trainer.parameters()))
    assert circuits.subspaces["first"].rows.shape == (0, 50)
    circuits.begin_task(sgd(trainer, momentum=0.9))


def test_momentum_that_is_kept_over_a_change_of_task_is_refused():
    trainer = trainer_of()
    circuits = protect(trainer, {"first": 4})
    optimizer = sgd(trainer, momentum=0.9)
    circuits.begin_task(optimizer)
    step(trainer, optimizer)
    circuits.end_task()
    with pytest.raises(ns.NetworkError, match="found a momentum of an earlier task beside a proj"):
        circuits.begin_task(optimizer)
    with pytest.raises(ns.NetworkError, match="found a step of an optimiser between two tasks"):
        step(trainer, optimizer)
    circuits.begin_task(sgd(trainer, momentum=0.9))


def test_an_optimiser_of_an_earlier_task_may_not_step_in_a_later_one():
    trainer = trainer_of()
    circuits = protect(trainer, {"first": 4})
    earlier = sgd(trainer, momentum=0.9)
    circuits.begin_task(earlier)
    step(trainer, earlier)
    circuits.end_task()
    circuits.begin_task(sgd(trainer, momentum=0.9))
    with pytest.raises(ns.NetworkError, match="found a step of the optimiser of an earlier task"):
        step(trainer, earlier)


def test_tasks_begin_and_end_in_turn():
    trainer = trainer_of()
    circuits = protect(trainer, {"first": 4})
    with pytest.raises(ns.NetworkError, match="end_task: found no task that is being learned"):
        circuits.end_task()
    circuits.begin_task(sgd(trainer))
    with pytest.raises(ns.NetworkError, match="begin_task: found a task that has not ended"):
        circuits.begin_task(sgd(trainer))


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({"third": 4}, {}, "no learning projection 'third'"),
        ({"first": -1}, {}, "rows of 'first': found -1, expected a whole number from 0 on"),
        ({"first": []}, {}, "rows of 'first': found"),
        ({"first": 4}, {"rate": 0.0}, "lateral learning, rate: found 0.0, expected a number above"),
        ({"first": 4}, {"levels": -1}, "lateral learning, levels: found -1"),
        ({"first": 4}, {"learning": {"second": Learning()}}, "no layer 'second'"),
    ],
)
def test_wrong_rows_and_options_are_refused(rows, options, message):
    with pytest.raises(ns.NetworkError, match=message):
        protect(trainer_of(), rows, **options)


def test_more_rows_than_inputs_are_refused_before_any_is_added():
    trainer = trainer_of()
    circuits = protect(trainer, {"first": 20, "second": [40, 1]})
    for _ in range(1):
        circuits.begin_task(sgd(trainer))
        circuits.end_task()
    with pytest.raises(
        ns.NetworkError, match="'second': found 41 rows in all, expected at most 40"
    ):
        circuits.begin_task(sgd(trainer))
    assert circuits.subspaces["first"].rows.shape == (20, 50)


# ---- dimensions


def test_directions_hold_the_share_of_variance_that_was_asked_for():
    rows = np.diag(np.sqrt([8.0, 4.0, 2.0, 1.0, 1.0, 0.0]))
    for share, count in ((0.5, 1), (0.6, 2), (0.75, 2), (0.76, 3), (1.0, 5)):
        basis = principal_directions(rows, share=share)
        assert len(basis) == count
        assert np.allclose(np.abs(basis[0]), [1, 0, 0, 0, 0, 0])
    # The first direction is known: two more reach 14 of 16.
    assert needed_rows(rows, share=14 / 16, old=np.eye(6)[:1]) == 2
    assert needed_rows(rows, share=0.5, old=np.eye(6)[:1]) == 0
    with pytest.raises(ns.NetworkError, match="share: found 1.5, expected a number above 0"):
        principal_directions(rows, share=1.5)


def test_angles_between_planes_are_those_of_their_turn():
    first = np.eye(4)[:2]
    turn = np.radians(30)
    second = np.array([[np.cos(turn), 0, np.sin(turn), 0], [0, 0, 0, 2.0]])
    assert np.allclose(principal_angles(first, second), [30, 90])


# ---- as a strategy


@pytest.mark.parametrize("way", ["dsr", "bptt", "ottt"])
@pytest.mark.parametrize("feedback", ["same", "random", "sign-concordant"])
def test_all_ways_of_training_learn_with_circuits_and_forget_less(way, feedback):
    settings = Settings(
        way=way, inputs=20, hidden=40, classes=4, batch=16, feedback=feedback, epochs=6
    )
    tasks = experiment._tiny_tasks(3)
    bwt = {}
    for name in ("plain", "hlop"):
        learner = make_learner(settings, 1)
        rows = {"layer1": 5, "layer2": 10, "head": 10}
        strategy = projected(learner, settings, rows, seed=1) if name == "hlop" else name
        done = learn_tasks(learner, tasks, strategy=strategy, progress=False)
        assert np.diagonal(done.accuracy.values).min() > 0.6
        bwt[name] = done.accuracy.bwt
    assert bwt["hlop"] >= bwt["plain"] - 0.02


def test_rows_by_a_share_of_variance_grow_with_it_and_replay_rests_the_circuits():
    settings = Settings(way="bptt", inputs=20, hidden=40, classes=4, batch=16, epochs=1)
    tasks = experiment._tiny_tasks(2)
    counts = []
    for share in (0.5, 0.9):
        learner = make_learner(settings, 1)
        rows = {"layer1": 1, "layer2": 1, "head": 1}
        strategy = projected(learner, settings, rows, seed=1, share=share)
        learn_tasks(learner, tasks, strategy=Rehearsal(strategy), progress=False)
        counts.append([layer["rows"] for layer in strategy.course[-1].values()])
    assert all(few < many for few, many in zip(*counts, strict=True))
