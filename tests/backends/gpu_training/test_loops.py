"""Steps compiled as loops: the spikes of steps one by one bit for bit, and their gradients."""

from __future__ import annotations

import copy

import pytest
from support.both_ways import compare
from support.training import CELLS, driven, layered

import neurosim as ns
from neurosim.errors import NetworkError
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer, Truncated, fit  # noqa: E402


def names_that_learn(net: ns.Network, outputs: list[str]) -> list[str]:
    """Return what can learn, as the message about a wrong name lists it."""
    with pytest.raises(NetworkError) as refusal:
        Trainer(net, inputs="inputs", outputs=outputs, train=["?"])
    listed = str(refusal.value).partition("trainable names are: ")[2].partition(". ")[0]
    return listed.split(", ")


@pytest.mark.parametrize(
    ("name", "precision"),
    # Each is compiled by itself, which takes seconds.
    [*((name, "float64") for name in CELLS), ("lif", "float32"), ("izhikevich", "float32")],
)
@pytest.mark.compiled
def test_loops_give_the_spikes_and_gradients_of_library_cells(name, precision):
    """All that can learn learns: parameters inside propagators, initial states, thresholds."""
    net = driven(name)
    steps = 60 if name == "hodgkin_huxley" else 120
    generator = torch.Generator().manual_seed(3)
    batch = (torch.rand(steps, 2, 4, generator=generator) < 0.1).double()
    outputs = ["neurons", "neurons.v"]
    output = compare(
        net,
        batch,
        inputs="inputs",
        outputs=outputs,
        train=names_that_learn(net, outputs),
        precision=precision,
        # Gradients through spikes of a cell with a steep rise double the rounding again and again.
        tolerance=1e-9 if precision == "float64" else 2e-2,
    )
    assert output["neurons"].sum() >= 1


FUNCTIONS = {
    "powers": "v**3 / 4 + (v + 1)**-2 + (v + 2)**0.7 + 1.1**v",
    "exponentials": "exp(-v) + exprel(v / 3) + exprel(-2 * v) + tanh(v)",
    "logarithms": "log(v + 3) + log10(v + 4) + sqrt(v + 2)",
    "angles": "sin(v) + cos(2 * v) + arctan(v)",
    "pieces": "abs(v - 0.4) + min(v, 0.3) + max(v, 0.2) + clip(v, 0.1, 0.6)",
    "jumps": "floor(v) + ceil(v) + round(v) + sign(v) * v + int(3 * v) + v % 0.3 + v // 0.2",
    "conditions": "where(v > 0.3 and not v > 0.5 or v == 0.1, v * v, 2 * v) + (v < 0.3) * v",
    "words": "0.1 * i * v / N + t * v / (50 * dt) + dt * v / (dt + dt)",
    "draws": "v * normal() + uniform()",
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.compiled
def test_loops_have_all_functions_of_the_language_and_their_derivatives(name, precision):
    cell = ns.Cell(
        "v : 1",
        parameters={"gain": 0.3},
        receives={"x": ns.Port("1")},
        step=f"v = 0.4 * v + gain * ({FUNCTIONS[name]}) / 4 + x",
        spike="v >= 0.9 + 0.01 * gain",
        after_spike="v = v - gain",
        name="functions",
    )
    net = ns.Network("functions", dt="1 ms", seed=2)
    source = net.spike_source("inputs", 4)
    neurons = net.population("neurons", 5, cell, v=ns.uniform(0.1, 0.8), gain=ns.uniform(0.1, 0.4))
    net.project(source, neurons, ns.all_to_all(), weight=ns.uniform(0, 0.3), name="layer")
    batch = (torch.rand(9, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    output = compare(
        net,
        batch,
        inputs="inputs",
        outputs=["neurons", "neurons.v"],
        train=["layer", "neurons.gain", "neurons.v"],
        precision=precision,
        tolerance=1e-9 if precision == "float64" else 1e-3,
    )
    assert output["neurons"].any()


METHODS = {
    "bptt": "bptt",
    "truncated": Truncated(7),
    "e-prop": "e-prop",
    "ottt": "ottt",
    "dsr": "dsr",
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_loops_serve_every_method(method):
    net = ns.Network("layers", dt="1 ms", seed=1)
    before = net.spike_source("inputs", 12)
    cell = ns.Cell(
        "v : 1",
        receives={"x": ns.Port("1")},
        step="v = 0.9 * v + x",
        spike="v >= 1",
        after_spike="v -= 1",
    )
    for name in ("first", "second"):
        layer = net.population(f"after {name}".replace(" ", "_"), 8, cell)
        weight = ns.normal(0.1, 0.2)
        net.project(before, layer, ns.all_to_all(), weight=weight, same_step=True, name=name)
        before = layer
    batch = (torch.rand(30, 4, 12, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    output = compare(
        net,
        batch,
        inputs="inputs",
        outputs="after_second",
        train=["first", "second"],
        precision="float64",
        method=method,
    )
    assert output["output"].sum() > 20


def test_loops_compute_parts_again_where_memory_asks_for_it():
    """Refractory neurons too: parts hand over which of them still pause."""
    batch = (torch.rand(23, 3, 50, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    options = {
        "inputs": "inputs",
        "outputs": ["output", "hidden.v"],
        "train": ["first", "second", "hidden.tau", "hidden.threshold"],
    }
    output = compare(layered(same_step=True), batch, chunk=5, precision="float64", **options)
    assert output["output"].sum() > 50


def test_loops_follow_currents_tables_and_conditions_that_hold_spikes_back():
    cell = ns.Cell(
        "dv/dt = (drive + slow - v) / tau : 1",
        parameters={"tau": "5 ms", "drive": 0.0, "slow": 0.0},
        spike="v >= 1",
        after_spike="v = 0",
        refractory="v > 0.9",
        name="held",
    )
    net = ns.Network("held", dt="1 ms", seed=1)
    slow = ns.table([0.1, 0.9, 0.3], every="4 ms")
    net.population("neurons", 6, cell, slow=slow, tau=ns.uniform("4 ms", "8 ms"))
    batch = 4 * torch.rand(40, 3, 6, generator=torch.Generator().manual_seed(1)).double()
    output = compare(
        net,
        batch,
        inputs="neurons.drive",
        outputs=["neurons", "neurons.v"],
        train=["neurons.tau", "neurons.v"],
        precision="float64",
    )
    assert output["neurons"].sum() > 20


def test_a_driven_current_that_learns_elsewhere_gets_its_gradient():
    net = ns.Network("driven", dt="1 ms", seed=1)
    net.population("neurons", 6, cells.lif_delta(refractory="2 ms"))
    currents = torch.full((30, 2, 6), 0.5, dtype=torch.float64)
    gradients = []
    for compiled in (False, True):
        own = currents.clone().requires_grad_(True)
        trainer = Trainer(
            net,
            inputs="neurons.current",
            outputs="neurons",
            train=["neurons.tau"],
            precision="float64",
            compiled=compiled,
        )
        output = trainer(own)
        (output * torch.linspace(1, 2, 30).view(-1, 1, 1)).sum().backward()
        gradients.append(own.grad)
        assert output.sum() > 10
    assert gradients[0].any()
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-9)


def test_loops_take_less_memory_than_steps_one_by_one():
    """The states between segments are stored, and not what each operation of a step makes."""
    net = driven("adex_exponential")
    options = {"inputs": "inputs", "outputs": "neurons", "train": ["layer"]}
    plain = Trainer(net, **options).memory(100, 64).per_step
    loops = Trainer(net, compiled=True, **options).memory(100, 64).per_step
    assert 0 < loops < plain / 3


def test_loops_that_cannot_be_compiled_are_replaced_with_one_message(monkeypatch):
    from neurosim.compiled import cache

    def refuse(*arguments, **options):
        raise RuntimeError("no machine code here")

    monkeypatch.setattr(cache, "functions", refuse)
    batch = (torch.rand(9, 2, 50, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    options = {"inputs": "inputs", "outputs": "output", "train": ["first"]}
    trainer = Trainer(layered(same_step=True), compiled=True, **options)
    with pytest.warns(RuntimeWarning, match="no machine code here.; they run one by one") as warned:
        output = trainer(batch)
    assert len([w for w in warned if "one by one" in str(w.message)]) == 1
    assert torch.equal(output, Trainer(layered(same_step=True), **options)(batch))


def test_training_with_loops_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    batch = (torch.rand(9, 6, 50, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    classes = torch.arange(6)

    def train(epochs: int, file: str) -> Trainer:
        trainer = Trainer(
            layered(same_step=True),
            inputs="inputs",
            outputs="output",
            train=["first", "second", "hidden.tau"],
            compiled=True,
        )
        fit(
            trainer,
            [(batch, classes), (batch.flip(0), classes)],
            loss=lambda output, target: torch.nn.functional.cross_entropy(output.sum(0), target),
            optimizer=torch.optim.Adam(trainer.parameters(), lr=0.1),
            epochs=epochs,
            checkpoint=tmp_path / file,
            progress=False,
        )
        return trainer

    whole = train(3, "whole.pt")
    train(1, "parts.pt")
    parts = train(3, "parts.pt")
    start = Trainer(layered(), inputs="inputs", outputs="output", train=["first"])
    assert not torch.equal(whole["first"], start["first"])
    for name in whole.learns:
        assert torch.equal(whole[name], parts[name])


def test_a_copy_of_a_trainer_with_loops_compiles_its_own():
    batch = (torch.rand(9, 2, 50, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    options = {"inputs": "inputs", "outputs": "output", "train": ["first"]}
    trainer = Trainer(layered(same_step=True), compiled=True, **options)
    expected = trainer(batch)
    other = copy.deepcopy(trainer)
    assert torch.equal(other.eval()(batch), expected) and other.compile_seconds > 0


def test_a_second_derivative_is_refused_and_not_zero():
    batch = (torch.rand(9, 2, 50, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    trainer = Trainer(
        layered(same_step=True), inputs="inputs", outputs="output", train=["first"], compiled=True
    )
    loss = (trainer(batch) ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, trainer["first"], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (gradient**2).sum().backward()
