"""Surrogates: ours and those of snnTorch, in the backward pass alone."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

torch = pytest.importorskip("torch")
snntorch = pytest.importorskip("snntorch")

from snntorch import surrogate as theirs  # noqa: E402

from neurosim.backends.gpu.training.gradients.surrogates import read_surrogate  # noqa: E402
from neurosim.gpu import Surrogate, Trainer, surrogates  # noqa: E402

X = torch.linspace(-2, 2, 41, dtype=torch.float64)
# The functions whose derivatives they are.
PRIMITIVES = {
    "fast_sigmoid": (surrogates.fast_sigmoid(5), lambda x: x / (1 + 5 * abs(x))),
    "atan": (surrogates.atan(3), lambda x: np.arctan(np.pi / 2 * 3 * x) / np.pi),
    "sigmoid": (surrogates.sigmoid(4), lambda x: 1 / (1 + np.exp(-4 * x))),
    "triangle": (
        surrogates.triangle(2),
        lambda x: (x - np.sign(x) * x**2 / 4) / 2 if abs(x) < 2 else np.sign(x) / 2,
    ),
}


def test_every_surrogate_of_ours_has_its_primitive_here():
    assert PRIMITIVES.keys() == surrogates.NAMED.keys()


@pytest.mark.parametrize("name", PRIMITIVES)
def test_surrogates_agree_with_finite_differences(name):
    surrogate, primitive = PRIMITIVES[name]
    assert surrogate.name == name
    points = np.array([-1.7, -0.4, -0.05, 0.02, 0.3, 1.1])
    step = 1e-5
    expected = [(primitive(x + step) - primitive(x - step)) / (2 * step) for x in points]
    measured = surrogate.derivative(torch.from_numpy(points)).numpy()
    assert measured == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (surrogates.fast_sigmoid(25), theirs.fast_sigmoid(25)),
        (surrogates.atan(2), theirs.atan(2)),
        (surrogates.sigmoid(5), theirs.sigmoid(5)),
    ],
)
def test_surrogates_of_snntorch_are_taken_in_float64(ours, other):
    """Within snnTorch they return spikes of float32, which costs 3.6e-7."""
    measured = read_surrogate(other).derivative(X)
    assert measured.dtype == torch.float64
    assert torch.allclose(measured, ours.derivative(X), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(
    "other",
    [
        theirs.straight_through_estimator(),
        theirs.triangular(1.0),
        theirs.spike_rate_escape(),
        theirs.custom_surrogate(lambda x, gradient, spikes: gradient * 0.3),
    ],
)
def test_further_surrogates_of_snntorch_are_taken(other):
    assert (read_surrogate(other).derivative(X) != 0).any()


def test_a_surrogate_far_from_the_threshold_is_no_nan():
    far = torch.tensor([-40.0, 40.0], dtype=torch.float64)
    assert read_surrogate(theirs.sigmoid(25)).derivative(far).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("surrogate", "message"),
    [
        (theirs.SFS(), "found snntorch.surrogate.SFS, which is known to be broken: its gradient"),
        (theirs.LSO(), "found snntorch.surrogate.LSO, which is known to be broken: it hands its"),
        ("fast-sigmoid", "there is no surrogate 'fast-sigmoid'. Did you mean 'fast_sigmoid'"),
        (3, r"found 3, expected a name \(atan, fast_sigmoid"),
        (Surrogate("flat", torch.zeros_like), "'flat': found a derivative of 0 for all distances"),
        (Surrogate("nan", lambda x: x / x), "'nan': found a derivative that is not one finite"),
        (Surrogate("sum", lambda x: x.sum()), "'sum': found a derivative that is not one finite"),
        (lambda x, y: x, "its derivative raised TypeError"),
    ],
)
def test_broken_surrogates_are_refused(surrogate, message):
    with pytest.raises(ns.NetworkError, match=message):
        read_surrogate(surrogate)


@pytest.mark.parametrize("make", [surrogates.fast_sigmoid, surrogates.atan, surrogates.triangle])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "2", True])
def test_arguments_of_surrogates_are_positive_numbers(make, value):
    with pytest.raises(ns.NetworkError, match="expected a number above 0"):
        make(value)


CONDITIONS = {
    "v >= 1": lambda v, u: v - 1,
    "v > 1": lambda v, u: v - 1,
    "1 < v": lambda v, u: v - 1,
    "not v < 1": lambda v, u: v - 1,
    "v > 1 and u > 0.2": lambda v, u: torch.minimum(v - 1, u - 0.2),
    "v > 1 or u >= 2": lambda v, u: torch.maximum(v - 1, u - 2),
    "crossing(v > 1)": lambda v, u: v - 1,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_distance_from_threshold_follows_from_the_condition(condition):
    net = ns.Network("conditions", dt="1 ms")
    net.spike_source("inputs", 1)
    cell = ns.Cell(
        "v : 1; u : 1", parameters={"a": 0.0}, step="v = a; u = 0.5 * a", spike=condition
    )
    net.population("output", 5, cell)
    slope = 2.0
    trainer = Trainer(
        net,
        inputs="output.a",
        outputs="output",
        train=[],
        surrogate=surrogates.fast_sigmoid(slope),
        width={"output": 3.0},
        precision="float64",
    )
    values = torch.linspace(0.1, 5, 5, dtype=torch.float64).expand(1, 1, 5)
    distance = trainer._plan.neurons["output"].distance
    v = values.flatten().clone().requires_grad_(True)
    measured = distance({"v": v, "u": 0.5 * v, "_held": torch.zeros(5)})
    assert torch.equal(measured, CONDITIONS[condition](v, 0.5 * v))
    assert (trainer(values).flatten() == (measured > 0)).all()


@pytest.mark.parametrize("condition", ["v == 1", "v != 0", "v", "v > 1 and u == 2"])
def test_conditions_without_a_distance_are_refused(condition):
    net = ns.Network("conditions", dt="1 ms")
    source = net.spike_source("inputs", 1)
    cell = ns.Cell("v : 1; u : 1", receives={"x": ns.Port("1", into="v")}, spike=condition)
    output = net.population("output", 1, cell)
    net.project(source, output, ns.all_to_all(), weight=1.0, name="layer")
    with pytest.raises(ns.ModelError, match="'output', spike: found .*expected comparisons by <"):
        Trainer(net, inputs="inputs", outputs="output", train=["layer"])


def test_the_width_is_the_distance_at_the_start_unless_it_is_given():
    net = ns.Network("widths", dt="1 ms")
    net.spike_source("inputs", 1)
    for name, start in (("near", 8.0), ("there", 10.0)):
        cell = ns.Cell("dv/dt = -v / (5*ms) : mV", spike="v > 10*mV", initial={"v": f"{start} mV"})
        net.population(name, 3, cell)
    options = {"inputs": "inputs", "outputs": ["near", "there"], "train": []}
    trainer = Trainer(net, **options)
    assert {n: x.width for n, x in trainer._plan.neurons.items()} == {"near": 2.0, "there": 1.0}
    trainer = Trainer(net, width={"near": 0.5}, **options)
    assert trainer._plan.neurons["near"].width == 0.5
    for width, message in (
        ({"far": 1.0}, "width: there is no spiking population 'far'"),
        ({"near": 0}, "width of 'near': found 0, expected a number above 0"),
        (2.0, "width: found 2.0, expected a dictionary by name"),
    ):
        with pytest.raises(ns.NetworkError, match=message):
            Trainer(net, width=width, **options)


def test_refractory_neurons_pass_no_gradient():
    net = ns.Network("refractory", dt="1 ms")
    source = net.spike_source("inputs", 1)
    cell = ns.Cell(
        "v : 1",
        receives={"x": ns.Port("1", into="v")},
        spike="v > 1",
        after_spike="v = 0",
        refractory="3 ms",
    )
    output = net.population("output", 1, cell)
    net.project(source, output, ns.all_to_all(), weight=2.0, name="layer", same_step=True)
    trainer = Trainer(net, inputs="inputs", outputs="output", train=["layer"], precision="float64")
    spikes = trainer(torch.ones(3, 1, 1, dtype=torch.float64))
    assert spikes.flatten().tolist() == [1, 0, 0]
    spikes[1:].sum().backward()
    assert trainer["layer"].grad.item() == 0
