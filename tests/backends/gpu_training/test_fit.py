"""The loop of training: progress, checkpoints, interrupts, and losses that are not finite."""

from __future__ import annotations

import math
import signal

import numpy as np
import pytest
from support.training import layered

import neurosim as ns

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from neurosim.gpu import Trainer, fit  # noqa: E402

T, SAMPLES = 12, 40


def trainer_of(**options) -> Trainer:
    options = {"train": ["first", "second", "hidden.tau"], **options}
    return Trainer(layered(same_step=True), inputs="inputs", outputs="output", **options)


def data() -> TensorDataset:
    """Return samples of two classes, which differ in the neurons that spike."""
    rng = np.random.default_rng(0)
    classes = np.arange(SAMPLES) % 2
    rates = np.where((np.arange(50)[None] < 25) == (classes[:, None] == 0), 0.4, 0.05)
    spikes = (rng.random((SAMPLES, T, 50)) < rates[:, None]).astype(np.float32)
    return TensorDataset(torch.from_numpy(spikes), torch.from_numpy(classes))


def loss(output, target):
    return torch.nn.functional.cross_entropy(output.sum(0), target)


def turned(batch):
    return batch.transpose(0, 1)


def train(trainer: Trainer, epochs: int, **options):
    torch.manual_seed(3)
    optimizer = torch.optim.Adam(trainer.parameters(), lr=0.5)
    loader = DataLoader(data(), batch_size=10, shuffle=True)
    return fit(
        trainer, loader, loss=loss, optimizer=optimizer, epochs=epochs, encode=turned, **options
    )


def test_training_learns_and_tells_loss_and_accuracy(capsys):
    trainer = trainer_of()
    progress = train(trainer, 6, progress=False)
    assert progress.epochs == 6 and not progress.interrupted
    assert progress.losses[-1] < 0.5 * progress.losses[0]
    assert progress.accuracies[-1] > 0.9
    spikes = trainer(turned(data().tensors[0]))
    assert spikes.sum() > 100
    assert capsys.readouterr().err == ""


def test_the_bar_shows_loss_and_accuracy(monkeypatch):
    displays = []
    from neurosim.backends.gpu.training.fitting import fit as module

    class Bar(module.tqdm):
        def set_postfix(self, **values):
            displays.append((self.desc, values))

    monkeypatch.setattr(module, "tqdm", Bar)
    monkeypatch.setattr(Bar, "__init__", lambda self, **o: _open(self, module, o), raising=False)

    def _open(bar, module, options):
        super(Bar, bar).__init__(**{**options, "disable": False, "file": open("/dev/null", "w")})

    train(trainer_of(), 1)
    (title, values), *_ = displays
    assert title == "epoch 1/1" and {"loss", "accuracy"} <= values.keys()


def test_training_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    whole = trainer_of()
    expected = train(whole, 4)
    path = tmp_path / "checkpoint.pt"
    train(trainer_of(), 2, checkpoint=path)
    resumed = trainer_of()
    torch.manual_seed(99)
    optimizer = torch.optim.Adam(resumed.parameters(), lr=0.5)
    loader = DataLoader(data(), batch_size=10, shuffle=True)
    progress = fit(
        resumed,
        loader,
        loss=loss,
        optimizer=optimizer,
        epochs=4,
        encode=turned,
        checkpoint=path,
    )
    assert progress.losses == expected.losses and progress.accuracies == expected.accuracies
    for name, parameter in whole.named_parameters():
        assert torch.equal(parameter, resumed.get_parameter(name))
    assert torch.equal(whole.samples_seen, resumed.samples_seen)
    assert torch.load(path, weights_only=True)["format"] == 1


def test_an_interrupt_ends_training_between_two_batches(tmp_path):
    trainer = trainer_of()
    seen = 0

    def interrupting(batch):
        nonlocal seen
        seen += 1
        if seen == 7:
            raise KeyboardInterrupt
        return turned(batch)

    torch.manual_seed(3)
    optimizer = torch.optim.Adam(trainer.parameters(), lr=0.5)
    loader = DataLoader(data(), batch_size=10, shuffle=True)
    progress = fit(
        trainer,
        loader,
        loss=loss,
        optimizer=optimizer,
        epochs=5,
        encode=interrupting,
        checkpoint=tmp_path / "c.pt",
    )
    assert progress.interrupted and progress.epochs == 1
    # Resumed, it begins with the epoch that was interrupted.
    resumed = trainer_of()
    progress = train(resumed, 2, checkpoint=tmp_path / "c.pt")
    assert progress.epochs == 2
    whole = trainer_of()
    assert train(whole, 2).losses == progress.losses


def train_until_interrupted(trainer, *, encode):
    return fit(
        trainer,
        DataLoader(data(), batch_size=10),
        loss=loss,
        optimizer=torch.optim.SGD(trainer.parameters(), lr=0.5),
        epochs=5,
        encode=encode,
        progress=False,
    )


def test_an_interrupt_within_a_step_of_the_optimiser_waits_until_the_batch_is_complete():
    trainer = trainer_of()
    handler = signal.getsignal(signal.SIGINT)

    def interrupting(name, gradient):
        if name == "first":
            signal.raise_signal(signal.SIGINT)

    trainer.on_gradient(interrupting)
    start = {name: trainer[name].detach().clone() for name in trainer.learns}
    progress = train_until_interrupted(trainer, encode=turned)
    assert progress.interrupted and progress.epochs == 0
    assert trainer.samples_seen == 10
    assert all(not torch.equal(trainer[name], start[name]) for name in trainer.learns)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_ends_training_at_once():
    trainer = trainer_of()

    def interrupting(batch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return turned(batch)

    progress = train_until_interrupted(trainer, encode=interrupting)
    assert progress.interrupted and trainer.samples_seen == 0


def test_a_loss_that_is_not_finite_ends_training_and_keeps_the_last_good_values():
    trainer = trainer_of()
    # The third step of the optimiser ruins a weight of the second layer.
    steps = 0

    def ruin(name, gradient):
        nonlocal steps
        if name == "second":
            steps += 1
            if steps == 3:
                trainer["second"].data.fill_(math.nan)

    trainer.on_gradient(ruin)
    good = []

    def checked(output, target):
        value = loss(output, target)
        if torch.isfinite(value):
            good.append({n: p.detach().clone() for n, p in trainer.named_parameters()})
        # Spikes stay 0 or 1 whatever the voltage is: a loss over weights shows the fault.
        return value + 0 * trainer["second"].sum()

    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    loader = DataLoader(data(), batch_size=10)
    with pytest.raises(
        ns.SimulationError,
        match="fit, epoch 1, batch 4: found the loss nan, expected .* first fault is in projection "
        "'second'. The values that learn are those of the batch before. Use a smaller",
    ) as error:
        fit(trainer, loader, loss=checked, optimizer=optimizer, epochs=2, encode=turned)
    assert error.value.population == "second"
    for name, parameter in trainer.named_parameters():
        assert torch.equal(parameter, good[2][name])


def test_a_gradient_that_is_not_finite_ends_training_before_it_changes_a_value():
    trainer = trainer_of()
    trainer.on_gradient(lambda name, gradient: gradient * math.nan)
    before = trainer["first"].detach().clone()
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    with pytest.raises(
        ns.SimulationError, match="fit, epoch 1, batch 1: optimizer: found a gradient of 'first'"
    ):
        loader = DataLoader(data(), batch_size=10)
        fit(trainer, loader, loss=loss, optimizer=optimizer, epochs=1, encode=turned)
    assert torch.equal(trainer["first"], before)


def test_a_fault_of_the_loss_function_is_named_as_one():
    trainer = trainer_of()
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    with pytest.raises(ns.SimulationError, match="fault is in the loss function, since all values"):
        fit(
            trainer,
            DataLoader(data(), batch_size=10),
            loss=lambda output, target: output.sum() * math.inf,
            optimizer=optimizer,
            epochs=1,
            encode=turned,
        )


def test_a_voltage_that_is_not_finite_is_found():
    net = ns.Network("grows", dt="1 ms")
    source = net.spike_source("inputs", 2)
    cell = ns.Cell("v : 1", receives={"x": ns.Port("1")}, step="v = 1e30 * v + x", name="grows")
    neurons = net.population("readout", 2, cell)
    net.project(source, neurons, ns.all_to_all(), weight=1.0, name="layer", same_step=True)
    trainer = Trainer(net, inputs="inputs", outputs="readout.v", train=["layer"])
    assert trainer.find_fault(torch.ones(2, 1, 2)) == ""
    assert trainer.find_fault(torch.ones(9, 1, 2)) == "population 'readout', v"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "sgd"}, "optimizer: found 'sgd', expected one of torch.optim"),
        ({"epochs": 0}, "fit, epochs: .*0"),
        ({"batches": [1, 2]}, r"fit: found a batch 1, expected \(data, target\)"),
        ({"batches": []}, "fit, epoch 1: found no batch, expected one at least"),
    ],
)
def test_wrong_arguments_are_refused_before_the_first_step(change, message):
    trainer = trainer_of()
    options = {
        "batches": DataLoader(data(), batch_size=10),
        "loss": loss,
        "optimizer": torch.optim.SGD(trainer.parameters(), lr=0.1),
        "epochs": 1,
        "encode": turned,
    }
    with pytest.raises(ns.NetworkError, match=message):
        fit(trainer, **(options | change))


@pytest.mark.parametrize("rate", [math.nan, math.inf])
def test_a_learning_rate_that_is_no_number_is_refused_before_the_first_step(rate):
    trainer = trainer_of()
    optimizer = torch.optim.SGD(trainer.parameters(), lr=rate)
    before = trainer["first"].detach().clone()
    with pytest.raises(ns.NetworkError, match=f"group 0: found the learning rate {rate}, expected"):
        fit(trainer, [], loss=loss, optimizer=optimizer, epochs=1)
    assert torch.equal(trainer["first"], before)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "text.pt").write_text("not a checkpoint")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    torch.save({"format": 1, "losses": []}, tmp_path / "part.pt")
    for name, message in (
        ("text", "found no checkpoint"),
        ("other", "a file of another form"),
        ("part", "a file of another form"),
    ):
        with pytest.raises(ns.NetworkError, match=message):
            train(trainer_of(), 1, checkpoint=tmp_path / f"{name}.pt")


@pytest.mark.parametrize("entry", ["optimizer", "generator", "losses", "trainer"])
def test_a_checkpoint_with_an_entry_of_another_type_is_refused(tmp_path, entry):
    path = tmp_path / "fit.pt"
    train(trainer_of(), 1, checkpoint=path)
    state = torch.load(path, weights_only=True)
    torch.save({**state, entry: [None]}, path)
    with pytest.raises(ns.NetworkError, match="found a file of another form"):
        train(trainer_of(), 2, checkpoint=path)


def test_a_checkpoint_that_was_cut_or_changed_is_refused(tmp_path):
    path = tmp_path / "fit.pt"
    train(trainer_of(), 1, checkpoint=path)
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for damaged in (data[: len(data) // 2], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(ns.NetworkError, match="found no checkpoint"):
            train(trainer_of(), 2, checkpoint=path)


def test_the_state_of_another_network_is_refused():
    state = Trainer(
        layered(seed=2), inputs="inputs", outputs="output", train=["first"]
    ).state_dict()
    other = Trainer(layered(seed=3), inputs="inputs", outputs="output", train=["first"])
    with pytest.raises(ns.NetworkError, match="load_state_dict: found the state of another netw"):
        other.load_state_dict(state)
    same = Trainer(layered(seed=2), inputs="inputs", outputs="output", train=["first"])
    with torch.no_grad():
        same["first"].zero_()
    same.load_state_dict(state)
    assert torch.equal(same["first"], state["first"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "ce"}, "fit, loss: found 'ce', expected a function"),
        ({"encode": "rate"}, "fit, encode: found 'rate', expected a function"),
        ({"batches": None}, "fit, batches: found None, expected pairs"),
        ({"trainer": torch.nn.Linear(2, 2)}, "fit: found .*, expected a Trainer"),
        ({"checkpoint": 3}, "checkpoint: found 3, expected the path of a file"),
        ({"checkpoint": "."}, "checkpoint '.': found a folder, expected a file"),
        ({"checkpoint": "none/c.pt"}, "found no folder 'none', expected one to write into"),
    ],
)
def test_arguments_that_cannot_train_are_refused_before_the_first_batch(change, message):
    trainer = trainer_of()
    arguments = {
        "trainer": trainer,
        "batches": DataLoader(data(), batch_size=10),
        "loss": loss,
        "optimizer": torch.optim.SGD(trainer.parameters(), lr=0.1),
        "epochs": 1,
        "encode": turned,
    } | change
    with pytest.raises(ns.NetworkError, match=message):
        fit(arguments.pop("trainer"), arguments.pop("batches"), progress=False, **arguments)
    assert trainer.samples_seen == 0


def test_an_optimiser_that_computes_losses_itself_is_refused():
    trainer = trainer_of()
    optimizer = torch.optim.LBFGS(trainer.parameters())
    with pytest.raises(ns.NetworkError, match="found LBFGS, which computes the loss several times"):
        fit(trainer, [], loss=loss, optimizer=optimizer, epochs=1)


def test_a_checkpoint_of_another_optimiser_or_precision_changes_nothing(tmp_path):
    path = tmp_path / "c.pt"
    train(trainer_of(), 1, checkpoint=path)
    for options, optimizer_of, message in (
        ({}, lambda t: torch.optim.SGD(t.parameters(), lr=0.1), "found the state of another opti"),
        ({}, lambda t: torch.optim.Adam([t["first"]], lr=0.5), "expected that of Adam over the s"),
        ({"precision": "float64"}, None, "found 'first' in torch.float32, expected torch.float64"),
        ({"train": ["first"]}, None, "found hidden.tau, second and not nothing, expected wh"),
    ):
        trainer = trainer_of(**options)
        make = optimizer_of or (lambda t: torch.optim.Adam(t.parameters(), lr=0.5))
        before = trainer["first"].detach().clone()
        with pytest.raises(ns.NetworkError, match=message):
            fit(
                trainer,
                DataLoader(data(), batch_size=10),
                loss=loss,
                optimizer=make(trainer),
                epochs=2,
                encode=turned,
                checkpoint=path,
                progress=False,
            )
        assert torch.equal(trainer["first"], before) and trainer.samples_seen == 0
