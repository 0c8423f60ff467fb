"""The words of snnTorch's users: losses, encoders, surrogates, and the class of their neurons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.training import layered

import neurosim as ns

torch = pytest.importorskip("torch")
snntorch = pytest.importorskip("snntorch")

from snntorch import functional, spikegen, surrogate, utils  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from neurosim import gpu  # noqa: E402
from neurosim.gpu import Trainer, fit  # noqa: E402

T, B = 20, 6


def leaky_network(beta: float, *, reset: str, same_step: bool = True) -> ns.Network:
    net = ns.Network("layers", dt="1 ms", seed=4)
    cell = ns.Cell(
        "mem : 1",
        receives={"x": ns.Port("1")},
        parameters={"beta": beta},
        step="mem = beta * mem + x",
        spike="mem > 1",
        after_spike=reset,
        name="leaky",
    )
    source = net.spike_source("inputs", 30)
    hidden = net.population("hidden", 20, cell)
    output = net.population("output", 5, cell)
    for name, pre, post in (("first", source, hidden), ("second", hidden, output)):
        weight = ns.normal(0.1, 0.2)
        net.project(pre, post, ns.all_to_all(), weight=weight, name=name, same_step=same_step)
    return net


@pytest.mark.parametrize("reset", ["mem -= 1", "mem = 0"])
def test_spikes_and_gradients_are_those_of_layers_with_their_surrogate(reset):
    """`snntorch.Leaky` resets one step later, or attached to the graph: so the loop is written."""
    trainer = Trainer(
        leaky_network(0.8, reset=reset),
        inputs="inputs",
        outputs=["hidden", "output"],
        train=["first", "second", "hidden.beta"],
        surrogate=surrogate.fast_sigmoid(10),
    )
    fire = surrogate.fast_sigmoid(10)

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(30, 20, bias=False)
            self.second = nn.Linear(20, 5, bias=False)
            self.beta = nn.Parameter(torch.tensor(0.8))

        def forward(self, x):
            hidden, output = torch.zeros(B, 20), torch.zeros(B, 5)
            spikes = []
            for now in x:
                a, hidden = self.fire(self.beta * hidden + self.first(now))
                b, output = self.fire(0.8 * output + self.second(a))
                spikes.append(b)
            return torch.stack(spikes)

        def fire(self, mem):
            spikes = fire(mem - 1)
            fired = spikes.detach()
            return spikes, mem - fired if reset == "mem -= 1" else mem * (1 - fired)

    theirs = Layers()
    with torch.no_grad():
        theirs.first.weight.copy_(trainer["first"])
        theirs.second.weight.copy_(trainer["second"])
    spikes = (torch.rand(T, B, 30, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    ours = trainer(spikes)["output"]
    other = theirs(spikes)
    assert ours.sum() > 50 and torch.equal(ours, other)
    target = torch.arange(B) % 5
    for output in (ours, other):
        functional.ce_count_loss()(output, target).backward()
    assert torch.allclose(trainer["first"].grad, theirs.first.weight.grad, rtol=1e-4, atol=1e-7)
    assert torch.allclose(trainer["second"].grad, theirs.second.weight.grad, rtol=1e-4, atol=1e-7)
    expected = theirs.beta.grad.item()
    assert trainer["hidden.beta"].grad.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        functional.ce_rate_loss(),
        functional.ce_count_loss(),
        functional.ce_max_membrane_loss(),
        functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.1),
        functional.ce_temporal_loss(),
        functional.mse_temporal_loss(),
    ],
)
def test_losses_of_snntorch_train_a_network(loss):
    trainer = Trainer(
        leaky_network(0.9, reset="mem -= 1"), inputs="inputs", outputs="output", train=["first"]
    )
    spikes = (torch.rand(T, B, 30, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    output = trainer(spikes)
    assert output.sum() > 50
    loss(output, torch.arange(B) % 5).backward()
    assert trainer["first"].grad.abs().max() > 0


def test_their_encoders_loaders_and_accuracy_serve_the_loop():
    trainer = Trainer(
        leaky_network(0.9, reset="mem -= 1"),
        inputs="inputs",
        outputs="output",
        train=["first", "second"],
        surrogate=surrogate.atan(),
    )
    torch.manual_seed(0)
    classes = torch.arange(60) % 5
    images = 0.1 * torch.rand(60, 30) + 0.8 * (torch.arange(30)[None] // 6 == classes[:, None])
    loader = DataLoader(TensorDataset(images, classes), batch_size=12, shuffle=True)

    def encode(data):
        return spikegen.rate(data, num_steps=T)

    progress = fit(
        trainer,
        loader,
        loss=functional.ce_rate_loss(),
        optimizer=torch.optim.Adam(trainer.parameters(), lr=0.02),
        epochs=6,
        encode=encode,
        progress=False,
    )
    assert progress.losses[-1] < progress.losses[0]
    output = trainer(encode(images))
    assert output.sum() > 100
    assert functional.acc.accuracy_rate(output, classes) > 0.9
    latency = spikegen.latency(images, num_steps=T, normalize=True, linear=True)
    assert trainer(latency).shape == (T, 60, 5)


def test_it_passes_as_their_neuron_without_their_shared_list():
    before = list(snntorch.SpikingNeuron.instances)
    trainer = Trainer(layered(), inputs="inputs", outputs="output", train=["first"])
    assert isinstance(trainer, snntorch.SpikingNeuron) and isinstance(trainer, nn.Module)
    assert snntorch.SpikingNeuron.instances == before
    model = nn.ModuleDict({"net": trainer})
    utils.reset(model)
    for module in model.modules():
        if isinstance(module, snntorch.SpikingNeuron):
            module.reset_mem()
    spikes = torch.ones(5, 2, 50)
    assert torch.equal(trainer(spikes), trainer(spikes))
    assert [name for name, _ in trainer.named_parameters()] == ["first"]


def test_a_module_of_torch_around_it_is_saved_and_loaded_whole(tmp_path):
    def model():
        return nn.ModuleList(
            [Trainer(layered(), inputs="inputs", outputs="output", train=["first"]), nn.ReLU()]
        )

    saved = model()
    with torch.no_grad():
        saved[0]["first"].add_(1.0)
    torch.save(saved.state_dict(), tmp_path / "model.pt")
    loaded = model()
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(loaded[0]["first"], saved[0]["first"])


PAGE = Path(__file__).parents[3] / "docs/coming_from/snntorch.md"
TABLE = PAGE.read_text().partition("## Training")[2].partition("\n|---|---|\n")[2]
ROWS = [line.strip("|").split(" | ") for line in TABLE.partition("\n\n")[0].splitlines()]


@pytest.mark.parametrize("here", [row[1] for row in ROWS])
def test_the_code_of_a_row_of_the_page_runs(here, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    net = layered(same_step=True)
    names = {
        "ns": ns,
        "gpu": gpu,
        "torch": torch,
        "SF": functional,
        "surrogate": surrogate,
        "spikegen": spikegen,
        "net": net,
        "model": Trainer(net, inputs="inputs", outputs="output", train=["first"]),
        "spikes": torch.ones(10, 4, 50),
        "data": torch.rand(4, 50),
        "targets": torch.arange(4),
    }
    exec(re.findall(r"`([^`]+)`", here)[0], names)


def test_the_table_of_the_page_is_read():
    assert len(ROWS) == 14 and all(len(row) == 2 for row in ROWS)
