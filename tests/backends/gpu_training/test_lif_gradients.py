"""Backpropagation of layers of LIF neurons, against one written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer, Truncated, surrogates  # noqa: E402

TAU, REST, THRESHOLD = 8.0, -70.0, -50.0
SLOPE = 10.0
T, B, N, H = 30, 4, 12, 9


def one_layer() -> ns.Network:
    """Return a layer of LIF neurons whose membrane jumps, without a refractory time."""
    net = ns.Network("one layer", dt="1 ms", seed=3)
    source = net.spike_source("inputs", N)
    lif = cells.lif_delta(tau=f"{TAU} ms", refractory="0 ms")
    hidden = net.population("hidden", H, lif)
    net.project(source, hidden, ns.all_to_all(), weight=ns.normal("3 mV", "5 mV"), name="layer")
    return net


def spikes_and_errors():
    rng = np.random.default_rng(2)
    spikes = (rng.random((T, B, N)) < 0.4).astype(float)
    return spikes, rng.normal(size=(T, B, H))


def by_hand(weight: np.ndarray, spikes: np.ndarray, errors: np.ndarray, *, width: float):
    """Return output spikes and the gradient of sum(errors * spikes) in the weight.

    v' = rest + (v + W x[k - 1] - rest) * p; a spike at v' >= threshold puts v to rest. The
    gradient of a spike is the surrogate's; the reset is detached.
    """
    p = float(np.exp(-1.0 / TAU))
    v = np.full((B, H), REST)
    before, outputs = [], []
    for k in range(T):
        jump = spikes[k - 1] @ weight.T if k else 0.0
        v = REST + (v + jump - REST) * p
        out = v >= THRESHOLD
        before.append(v)
        outputs.append(out)
        v = np.where(out, REST, v)
    gradient = np.zeros_like(weight)
    later = np.zeros((B, H))  # dL/dv after step k
    for k in range(T - 1, -1, -1):
        distance = (before[k] - THRESHOLD) / width
        slope = 1.0 / (1.0 + SLOPE * np.abs(distance)) ** 2 / width
        error = errors[k] * slope + np.where(outputs[k], 0.0, later)
        if k:
            gradient += p * error.T @ spikes[k - 1]
        later = p * error
    return np.array(outputs, float), gradient


@pytest.mark.parametrize("width", [None, 7.0])
def test_backpropagation_agrees_with_one_written_by_hand(width):
    spikes, errors = spikes_and_errors()
    trainer = Trainer(
        one_layer(),
        inputs="inputs",
        outputs="hidden",
        train=["layer"],
        surrogate=surrogates.fast_sigmoid(SLOPE),
        precision="float64",
        width=None if width is None else {"hidden": width},
    )
    output = trainer(torch.from_numpy(spikes))
    (output * torch.from_numpy(errors)).sum().backward()
    weight = trainer.get_parameter("layer")
    expected, gradient = by_hand(
        weight.detach().numpy(), spikes, errors, width=width or THRESHOLD - REST
    )
    assert output.sum() > 100
    assert np.array_equal(output.detach().numpy(), expected)
    difference = np.abs(weight.grad.numpy() - gradient).max() / np.abs(gradient).max()
    assert difference < 1e-12


def gradients(method, *, steps: int = T) -> dict[str, np.ndarray]:
    """Return the gradients of a network with a loop, by a method."""
    net = one_layer()
    hidden = net.populations["hidden"]
    weight = ns.normal("0 mV", "6 mV")
    net.project(hidden, hidden, ns.fixed_probability(0.5), weight=weight, name="loop")
    trainer = Trainer(
        net,
        inputs="inputs",
        outputs="hidden",
        train=["layer", "loop", "hidden.tau"],
        precision="float64",
        method=method,
    )
    spikes, errors = spikes_and_errors()
    output = trainer(torch.from_numpy(spikes[:steps]))
    assert output.sum() > 50
    (output * torch.from_numpy(errors[:steps])).sum().backward()
    return {name: p.grad.numpy() for name, p in trainer.named_parameters()}


def test_truncation_to_the_full_length_is_backpropagation_through_time():
    full = gradients("bptt")
    assert all(np.abs(g).max() > 0 for g in full.values())
    for name, gradient in gradients(Truncated(T)).items():
        assert np.array_equal(gradient, full[name])
    shorter = gradients(Truncated(5))
    assert all(not np.allclose(shorter[name], full[name]) for name in full)


def test_truncation_is_backpropagation_through_each_window_alone():
    """Windows of one step: gradients of step k are those of the last step of a course of k."""
    shorter = gradients(Truncated(10), steps=10)
    full = gradients("bptt", steps=10)
    assert all(np.array_equal(shorter[name], full[name]) for name in full)


def test_e_prop_agrees_with_eligibility_traces_written_by_hand():
    """Source: Bellec et al. 2020, eqs. 3, 17 and 24, for neurons without adaptation."""
    measured = gradients("e-prop")
    net = one_layer()
    hidden = net.populations["hidden"]
    weight = ns.normal("0 mV", "6 mV")
    net.project(hidden, hidden, ns.fixed_probability(0.5), weight=weight, name="loop")
    trainer = Trainer(
        net, inputs="inputs", outputs=["hidden"], train=["layer", "loop"], precision="float64"
    )
    spikes, errors = spikes_and_errors()
    output = trainer(torch.from_numpy(spikes)).detach().numpy()
    p = float(np.exp(-1.0 / TAU))
    first = trainer.get_parameter("layer").detach().numpy()
    edges = trainer._plan.connections["loop"].edges
    loop = np.zeros((H, H))
    loop[edges.targets, edges.sources] = trainer.get_parameter("loop").detach().numpy()
    v = np.full((B, H), REST)
    traces = {"layer": np.zeros((B, H, N)), "loop": np.zeros((B, H, H))}
    gradient = {name: np.zeros(trace.shape[1:]) for name, trace in traces.items()}
    for k in range(T):
        before = {
            "layer": spikes[k - 1] if k else np.zeros((B, N)),
            "loop": output[k - 1] if k else np.zeros((B, H)),
        }
        jump = before["layer"] @ first.T + before["loop"] @ loop.T
        v = REST + (v + jump - REST) * p
        slope = 1 / (1 + 25 * np.abs(v - THRESHOLD) / 20) ** 2 / 20
        for name, x in before.items():
            traces[name] = p * (traces[name] + x[:, None, :])
            gradient[name] += ((errors[k] * slope)[:, :, None] * traces[name]).sum(0)
            # The reset forgets the past of the neuron.
            traces[name] *= 1 - output[k][:, :, None]
        v = np.where(output[k] > 0, REST, v)
    assert np.allclose(measured["layer"], gradient["layer"], rtol=1e-10, atol=1e-12)
    per_edge = gradient["loop"][edges.targets, edges.sources]
    assert np.allclose(measured["loop"], per_edge, rtol=1e-10, atol=1e-12)
    assert not np.allclose(measured["loop"], gradients("bptt")["loop"])
