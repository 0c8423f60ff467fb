"""Online traces (OTTT) and firing rates (DSR), against gradients written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.training.gradients.feedback import read_feedback  # noqa: E402
from neurosim.gpu import Trainer, surrogates  # noqa: E402

BETA = 0.8
T, B, N, H, K = 12, 3, 7, 6, 4


def leaky(*, beta: float = BETA, gain: float = 1.0, drop: float = 1.0, at: float = 1.0) -> ns.Cell:
    """Return a leaky integrator of the form that snnTorch has."""
    return ns.Cell(
        "mem : 1",
        receives={"x": ns.Port("1")},
        parameters={"beta": beta, "gain": gain, "drop": drop, "at": at},
        step="mem = beta * mem + gain * x",
        spike="mem >= at",
        after_spike="mem -= drop",
        name="leaky",
    )


def two_layers(cell: ns.Cell | None = None) -> ns.Network:
    scale = 1.0 if cell is None else 3.0
    cell = cell or leaky()
    net = ns.Network("two layers", dt="1 ms", seed=2)
    source = net.spike_source("inputs", N)
    hidden = net.population("hidden", H, cell)
    output = net.population("output", K, cell)
    connect = {"connector": ns.all_to_all(), "same_step": True}
    net.project(source, hidden, **connect, weight=ns.normal(0.3 * scale, 0.4 * scale), name="first")
    net.project(
        hidden, output, **connect, weight=ns.normal(0.3 * scale, 0.4 * scale), name="second"
    )
    return net


def samples():
    rng = np.random.default_rng(8)
    spikes = (rng.random((T, B, N)) < 0.5).astype(float)
    return torch.from_numpy(spikes), torch.from_numpy(rng.normal(size=(T, B, K)))


def trained(method, *, cell: ns.Cell | None = None, **options) -> tuple[Trainer, torch.Tensor]:
    """Return a trainer after one backward pass, and its output spikes."""
    trainer = Trainer(
        two_layers(cell),
        inputs="inputs",
        outputs=["output", "hidden"],
        train=["first", "second"],
        surrogate=surrogates.triangle(1.0),
        precision="float64",
        method=method,
        **options,
    )
    spikes, errors = samples()
    outputs = trainer(spikes)
    assert outputs["hidden"].sum() > 40 and outputs["output"].sum() > 20
    (outputs["output"] * errors).sum().backward()
    return trainer, outputs


def run_by_hand(weight, spikes):
    """Return spikes and distances from threshold of a layer."""
    mem = torch.zeros(B, weight.shape[0], dtype=torch.float64)
    out, distance = [], []
    for x in spikes:
        mem = BETA * mem + x @ weight.T
        distance.append(mem - 1)
        out.append((mem >= 1).double())
        mem = mem - out[-1]
    return torch.stack(out), torch.stack(distance)


def traces_of(spikes):
    trace = torch.zeros_like(spikes[0])
    result = []
    for x in spikes:
        trace = BETA * trace + x
        result.append(trace)
    return torch.stack(result)


def test_ottt_multiplies_instant_errors_by_traces():
    trainer, outputs = trained("ottt")
    spikes, errors = samples()
    first, second = trainer["first"].detach(), trainer["second"].detach()
    hidden, below = run_by_hand(first, spikes)
    _, above = run_by_hand(second, hidden)
    assert torch.equal(hidden, outputs["hidden"])

    def slope(distance):
        return torch.clamp(1 - distance.abs(), min=0)

    delta_2 = errors * slope(above)
    delta_1 = (delta_2 @ second) * slope(below)
    expected = {
        "first": torch.einsum("tbo,tbi->oi", delta_1, traces_of(spikes)),
        "second": torch.einsum("tbo,tbi->oi", delta_2, traces_of(hidden)),
    }
    for name, gradient in expected.items():
        assert torch.allclose(trainer[name].grad, gradient, rtol=1e-12, atol=1e-12)
        assert trainer.rows(name) == "trace"


def test_ottt_is_backpropagation_for_one_layer_whose_neurons_do_not_spike():
    """Without spikes nothing is reset, and the trace is the whole past."""
    gradients = []
    for method in ("ottt", "bptt"):
        net = ns.Network("readout", dt="1 ms", seed=2)
        source = net.spike_source("inputs", N)
        # Two states: the current decays, and the voltage follows it.
        cell = cells.lif(tau="9 ms", tau_syn="4 ms", threshold="1 V", refractory="0 ms")
        neurons = net.population("neurons", H, cell)
        net.project(source, neurons, ns.all_to_all(), weight=ns.normal("0 nA", "1 nA"), name="in")
        trainer = Trainer(
            net,
            inputs="inputs",
            outputs="neurons",
            train=["in"],
            precision="float64",
            method=method,
            surrogate=surrogates.atan(0.1),
        ).eval()
        spikes, _ = samples()
        errors = torch.from_numpy(np.random.default_rng(3).normal(size=(T, B, H)))
        (trainer(spikes) * errors).sum().backward()
        gradients.append(trainer["in"].grad)
    assert gradients[1].abs().max() > 0
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-5, atol=0)


def test_ottt_follows_traces_of_recurrent_projections():
    """A loop gets the traces of its own spikes: those of a layer that is fed the same spikes."""
    net = two_layers()
    hidden = net.populations["hidden"]
    net.project(hidden, hidden, ns.all_to_all(), weight=ns.normal(0, 0.1), name="loop")
    trainer = Trainer(
        net,
        inputs="inputs",
        outputs="hidden",
        train=["loop"],
        surrogate=surrogates.triangle(1.0),
        precision="float64",
        method="ottt",
    )
    spikes, _ = samples()
    errors = torch.from_numpy(np.random.default_rng(3).normal(size=(T, B, H)))
    output = trainer(spikes)
    (output * errors).sum().backward()
    before = torch.cat([torch.zeros_like(output[:1]), output[:-1]]).detach()
    mem = torch.zeros(B, H, dtype=torch.float64)
    gradient = torch.zeros(H, H, dtype=torch.float64)
    first = trainer._weight("first")
    for k in range(T):
        mem = BETA * mem + spikes[k] @ first.T + before[k] @ trainer["loop"].detach().T
        slope = torch.clamp(1 - (mem - 1).abs(), min=0)
        gradient += (errors[k] * slope).T @ traces_of(before)[k]
        mem = mem - (mem >= 1).double()
    assert output.sum() > 40
    assert torch.allclose(trainer["loop"].grad, gradient, rtol=1e-10, atol=1e-12)


# Of the specification of DSR: T = 20, tau / dt = 20, V_th = 0.3, alpha = 0.3.
DECAY = float(np.exp(-0.05))


def rate_cell() -> ns.Cell:
    return leaky(beta=DECAY, gain=1 - DECAY, drop=0.3, at=0.09)


@pytest.mark.parametrize(
    ("current", "count", "rate"),
    [(0.5, 2, 0.5685), (1.0, 4, 1.2481), (2.0, 7, 2.0551), (6.0, 20, 6.0), (8.0, 20, 6.0)],
)
def test_rates_of_the_dsr_neuron_are_those_published(current, count, rate):
    """Weighted rates in units of V_th / dt; source: authors' code of Xiao et al. 2024."""
    net = ns.Network("rates", dt="1 ms")
    source = net.spike_source("inputs", 1)
    neuron = net.population("neuron", 1, rate_cell())
    connector = ns.all_to_all()
    net.project(source, neuron, connector, weight=current, name="in", same_step=True)
    trainer = Trainer(
        net, inputs="inputs", outputs="neuron", train=["in"], precision="float64", method="dsr"
    )
    spikes = trainer(torch.ones(20, 1, 1, dtype=torch.float64)).detach().flatten()
    weights = DECAY ** torch.arange(19, -1, -1)
    assert int(spikes.sum()) == count
    assert float((weights * spikes).sum() / weights.sum() * 0.3 / 0.05) == pytest.approx(rate, 1e-3)


def test_dsr_differentiates_weighted_rates():
    trainer, outputs = trained("dsr", cell=rate_cell())
    spikes, errors = samples()
    weights = (DECAY ** torch.arange(T - 1, -1, -1).double()).view(-1, 1, 1)
    weights = weights / weights.sum()
    gain = (1 - DECAY) / 0.3

    def delta(gradient, currents):
        rate = gain * (weights * currents).sum(0)
        inside = ((rate > 0) & (rate < 1)).double()
        return inside * gain * (weights * gradient).sum(0)

    hidden = outputs["hidden"].detach()
    first, second = trainer["first"].detach(), trainer["second"].detach()
    delta_2 = delta(errors, hidden @ second.T)
    delta_1 = delta((delta_2 @ second).expand(T, B, H), spikes @ first.T)
    assert torch.allclose(trainer["second"].grad, delta_2.T @ hidden.sum(0), rtol=1e-10, atol=1e-12)
    assert torch.allclose(trainer["first"].grad, delta_1.T @ spikes.sum(0), rtol=1e-10, atol=1e-12)
    assert trainer["first"].grad.abs().max() > 0
    assert trainer.rows("first") == "rate"


def test_thresholds_learn_by_rates():
    net = two_layers(rate_cell())
    trainer = Trainer(
        net,
        inputs="inputs",
        outputs="output",
        train=["hidden.drop", "output.drop"],
        precision="float64",
        method="dsr",
    )
    spikes, _ = samples()
    trainer(spikes).sum().backward()
    # A larger step down after a spike means fewer spikes.
    assert trainer["output.drop"].grad.item() < 0
    assert trainer["hidden.drop"].grad.item() != 0


@pytest.mark.parametrize(
    ("method", "cell", "message"),
    [
        (
            "ottt",
            cells.izhikevich(synapse="delta"),
            "'output': found a step that is not linear in states",
        ),
        ("dsr", cells.lif_delta(), "a reset that does not subtract a positive number"),
        ("dsr", cells.lif(), "not linear in one state and its input"),
    ],
)
def test_methods_refuse_cells_that_they_cannot_differentiate(method, cell, message):
    net = ns.Network("refused", dt="1 ms")
    source = net.spike_source("inputs", 2)
    output = net.population("output", 2, cell)
    net.project(source, output, ns.all_to_all(), weight=1.0, port="synaptic", name="layer")
    trainer = Trainer(net, inputs="inputs", outputs="output", train=["layer"], method=method)
    with pytest.raises(ns.NetworkError, match=message):
        trainer(torch.ones(3, 1, 2))


def test_dsr_refuses_circles():
    net = two_layers(rate_cell())
    hidden = net.populations["hidden"]
    net.project(hidden, hidden, ns.all_to_all(), weight=0.1, name="loop")
    trainer = Trainer(net, inputs="inputs", outputs="output", train=["first"], method="dsr")
    with pytest.raises(ns.NetworkError, match="'hidden': found projections in a circle"):
        trainer(samples()[0])


def test_methods_are_named_or_made():
    with pytest.raises(ns.NetworkError, match="method: found 'online', expected 'bptt', 'dsr'"):
        trained("online")


def test_random_feedback_sends_errors_backward_and_changes_nothing_else():
    plain, expected = trained("bptt")
    random, output = trained("bptt", feedback={"second": "random"})
    assert torch.equal(output["output"], expected["output"])
    assert torch.equal(random["second"].grad, plain["second"].grad)
    assert not torch.allclose(random["first"].grad, plain["first"].grad)
    again, _ = trained("bptt", feedback={"second": "random"})
    assert torch.equal(again["first"].grad, random["first"].grad)
    assert "feedback second" in random.state_dict()
    with torch.no_grad():
        again.get_buffer("feedback second").zero_()
    again.load_state_dict(random.state_dict())
    assert torch.equal(again.get_buffer("feedback second"), random.get_buffer("feedback second"))
    assert torch.equal(
        again._plan.connections["second"].slots.backward, random.get_buffer("feedback second")
    )


@pytest.mark.parametrize("weights", [[[0.5, 0.5], [0.5, 0.5]], [[0.0, -0.3], [0.0, 0.0]]])
def test_random_feedback_of_equal_weights_is_as_large_as_they_are(weights):
    weight = torch.tensor(weights, dtype=torch.float64)
    matrix = read_feedback({"second": "random"}, {"second": weight}, seed=1)["second"]
    joined = weight != 0
    # Of equal weights, or a single one, there is no standard deviation.
    unit = read_feedback({"second": "random"}, {"second": torch.sign(weight)}, seed=1)["second"]
    torch.testing.assert_close(matrix, unit * weight.abs().max())
    assert bool((matrix[joined] != 0).all()) and bool((matrix[~joined] == 0).all())


@pytest.mark.parametrize("feedback", ["sign-concordant", torch.sign])
def test_other_feedback_is_that_of_the_matrix_given(feedback):
    weight = trained("bptt")[0]["second"].detach()
    matrix = torch.sign(weight) / (H**0.5 if feedback == "sign-concordant" else 1)
    by_name, _ = trained("bptt", feedback={"second": feedback})
    by_tensor, _ = trained("bptt", feedback={"second": matrix})
    assert torch.equal(by_name["first"].grad, by_tensor["first"].grad)
    assert by_name["first"].grad.abs().max() > 0


def test_without_feedback_lower_layers_do_not_learn():
    trainer, _ = trained("bptt", feedback={"second": "none"})
    assert trainer["first"].grad is None or not trainer["first"].grad.any()
    assert trainer["second"].grad.any()


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ({"third": "random"}, "there is no projection 'third'"),
        ({"second": "fixed"}, "found 'fixed', expected 'none', 'random'"),
        ({"second": torch.ones(2, 2)}, r"shape \(2, 2\), expected that of the weight, \(4, 6\)"),
        ("random", "found 'random', expected a dictionary by projection"),
    ],
)
def test_unknown_feedback_is_refused(feedback, message):
    with pytest.raises(ns.NetworkError, match=message):
        trained("bptt", feedback=feedback)
