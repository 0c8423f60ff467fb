"""Wrong names, batches and options: an error before the first step, that says what to do."""

from __future__ import annotations

import copy
import math

import pytest
from support.training import layered

import neurosim as ns

torch = pytest.importorskip("torch")

from neurosim.gpu import SilenceWarning, StillWarning, Trainer, Truncated, fit  # noqa: E402


def trainer_of(net: ns.Network | None = None, **options) -> Trainer:
    defaults = {"inputs": "inputs", "outputs": "output", "train": ["first"]}
    return Trainer(net or layered(), **(defaults | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": "input"}, "inputs: there is no spike source or parameter 'input'. Did you me"),
        ({"inputs": "hidden"}, "inputs: there is no spike source or parameter 'hidden'"),
        ({"inputs": []}, r"inputs: found \[\], expected a name or a list of names"),
        ({"inputs": ["inputs", "inputs"]}, "inputs: found 'inputs' twice, expected each name once"),
        ({"inputs": 3}, "inputs: found 3, expected a name or a list of names"),
        ({"outputs": "outputs"}, "outputs: there is no spiking population or state 'outputs'"),
        ({"outputs": "inputs"}, "outputs: there is no spiking population or state 'inputs'"),
        ({"outputs": ["output", "hidden.w"]}, "outputs: there is no .* 'hidden.w'"),
        ({"train": ["frist"]}, "train: there is no trainable name 'frist'. Did you mean 'fir"),
        ({"train": ["hidden.refractory"]}, "no trainable name 'hidden.refractory'"),
        ({"train": ["hidden.reset"]}, "no trainable name 'hidden.reset'.*texts over other"),
        ({"train": ["inputs"]}, "no trainable name 'inputs'"),
        ({"train": "first"}, r"train: found 'first', expected a list of names. Write it in brack"),
        ({"train": ["first", "first"]}, "train: found 'first' twice, expected each name once"),
        ({"train": [1]}, "train: there is no trainable name 1"),
        ({"precision": "float16"}, "precision: found 'float16', expected 'float32' or 'float64'"),
        ({"device": "gpu"}, "device: found 'gpu', expected 'cuda', 'cuda:N' or 'cpu'"),
        ({"device": "cuda:77"}, "expected 'cuda:77'. Name device='cpu'"),
        ({"bounds": {"second": (0, 1)}}, "bounds: there is no learning name 'second'"),
        ({"bounds": {"first": (1, 0)}}, r"bounds of 'first': found \(1, 0\), expected low below"),
        ({"bounds": {"first": 3}}, r"bounds of 'first': found 3, expected \(low, high\)"),
        ({"bounds": {"first": (math.nan, 1)}}, r"bounds of 'first': found \(nan, 1\), expected"),
        ({"bounds": [1]}, r"bounds: found \[1\], expected a dictionary by name"),
        ({"chunk": 0}, "chunk: .*0"),
    ],
)
def test_wrong_options_are_refused_when_the_trainer_is_made(options, message):
    with pytest.raises(ns.NetworkError, match=message):
        trainer_of(**options)


def test_only_networks_are_trained():
    with pytest.raises(ns.NetworkError, match="Trainer: found 'net', expected a Network. Make one"):
        Trainer("net", inputs="inputs", outputs="output", train=[])


def test_windows_of_truncation_are_whole_numbers():
    with pytest.raises(ns.NetworkError, match="truncated: window.*0"):
        Truncated(0)


def test_a_parameter_that_acts_in_jumps_only_cannot_learn():
    net = ns.Network("jumps", dt="1 ms")
    net.spike_source("inputs", 1)
    cell = ns.Cell(
        "v : 1",
        parameters={"smooth": 1.0, "steps": 1.0, "switch": 1.0, "unused": 1.0},
        step="v = 0.5 * v + smooth + floor(steps) + where(switch > 0, 1, 2)",
        spike="v > 3",
    )
    net.population("output", 1, cell)
    assert trainer_of(net, train=["output.smooth"]).learns == ["output.smooth"]
    for name in ("steps", "switch", "unused"):
        with pytest.raises(ns.NetworkError, match=f"no trainable name 'output.{name}'"):
            trainer_of(net, train=[f"output.{name}"])


def test_a_parameter_that_is_an_input_or_a_table_cannot_learn():
    net = layered()
    with pytest.raises(ns.NetworkError, match="no trainable name 'hidden.current'"):
        trainer_of(net, inputs=["inputs", "hidden.current"], train=["hidden.current"])
    assert "hidden.rest" in trainer_of(net, inputs="hidden.current", train=["hidden.rest"]).learns


SPIKES = torch.zeros(5, 2, 50)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(5, 2, 49), r"input 'inputs': found shape \(5, 2, 49\), expected \(steps, sam"),
        (torch.zeros(5, 50), r"found shape \(5, 50\), expected \(steps, samples, 50\)"),
        (torch.zeros(0, 2, 50), r"found shape \(0, 2, 50\), expected .*, at least one of each"),
        (SPIKES + 0.5, "input 'inputs': found 0.5, expected spikes, 0 or 1. Encode the values"),
        (SPIKES + 2, "found 2, expected spikes, 0 or 1"),
        (SPIKES * math.nan, "found nan, expected spikes, 0 or 1"),
        (SPIKES + math.inf, "found inf, expected spikes, 0 or 1"),
        (SPIKES.int() - 1, "found -1, expected spikes, 0 or 1"),
        (
            SPIKES.numpy(),
            r"input 'inputs': found an array of shape \(5, 2, 50\), expected a tensor",
        ),
        ({"input": SPIKES}, "batch: there is no input 'input'. Did you mean 'inputs'"),
        ({}, "batch: found no tensor of 'inputs', expected one for each input"),
        (SPIKES + 0j, "input 'inputs': found complex numbers, expected a dense tensor of real"),
        (SPIKES.to_sparse(), "found the layout torch.sparse_coo, expected a dense tensor"),
    ],
)
def test_wrong_batches_are_refused(batch, message):
    with pytest.raises(ns.NetworkError, match=message):
        trainer_of()(batch)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_spikes_of_any_type_are_taken(dtype):
    spikes = (torch.rand(5, 2, 50, generator=torch.Generator().manual_seed(2)) < 0.5).to(dtype)
    output = trainer_of()(spikes)
    assert output.dtype == torch.float32 and output.sum() > 10
    assert torch.equal(output, trainer_of()(spikes.float()))


def test_inputs_of_a_batch_agree_in_steps_and_samples():
    trainer = trainer_of(inputs=["inputs", "hidden.current"])
    current = torch.ones(5, 2, 40)
    assert trainer({"inputs": SPIKES, "hidden.current": current}).sum() > 0
    with pytest.raises(
        ns.NetworkError, match=r"\(T, B\): inputs \(5, 2\), hidden.current \(4, 2\)"
    ):
        trainer({"inputs": SPIKES, "hidden.current": current[1:]})
    with pytest.raises(ns.NetworkError, match="'hidden.current': found a value that is not finite"):
        trainer({"inputs": SPIKES, "hidden.current": current * math.inf})
    with pytest.raises(ns.NetworkError, match="found a tensor of shape .*, expected a dictionary"):
        trainer(SPIKES)


def test_a_batch_that_does_not_spike_is_warned_of_once(recwarn):
    trainer = trainer_of()
    with pytest.warns(SilenceWarning, match="first batch no neuron of hidden, output spikes, so"):
        trainer(SPIKES)
    trainer(SPIKES)
    assert not [w for w in recwarn if issubclass(w.category, SilenceWarning)]


def test_names_without_a_gradient_are_warned_of_after_the_first_batch(recwarn):
    """A threshold acts through spikes, which a trace of its own neurons does not show."""
    trainer = trainer_of(outputs="hidden.v", train=["first", "second", "hidden.threshold"])
    trainer(SPIKES + 1).sum().backward()
    assert not [w for w in recwarn if issubclass(w.category, StillWarning)]
    with pytest.warns(StillWarning, match="gave second, hidden.threshold a gradient of 0, so they"):
        trainer(SPIKES + 1).sum().backward()
    trainer(SPIKES + 1)
    frozen = trainer_of(outputs="hidden.v", train=["first", "second"])
    frozen.freeze("second")
    for _ in range(3):
        frozen(SPIKES + 1).sum().backward()
    assert not [w for w in recwarn if issubclass(w.category, StillWarning)]


def test_a_batch_that_spikes_is_not_warned_of(recwarn):
    assert trainer_of()(SPIKES + 1).sum() > 10
    assert not [w for w in recwarn if issubclass(w.category, SilenceWarning)]


def test_tests_of_a_network_are_not_warned_of(recwarn):
    trainer_of().eval()(SPIKES)
    assert not [w for w in recwarn if issubclass(w.category, SilenceWarning)]


def drive(net: ns.Network) -> None:
    net.poisson_drive(net.populations["hidden"], rate="10 Hz", weight="1 mV")


def update(net: ns.Network) -> None:
    net.every("2 ms", net.populations["hidden"], "v = v + 1*mV")


@pytest.mark.parametrize(
    ("change", "message"),
    [(drive, "Trainer: found the drive 'poisson_drive"), (update, "found statements at regular t")],
)
def test_parts_that_training_does_not_run_are_refused(change, message):
    net = layered()
    change(net)
    with pytest.raises(ns.NetworkError, match=message):
        trainer_of(net)


def test_what_learns_stays_between_its_bounds():
    trainer = trainer_of(
        train=["first", "hidden.tau", "hidden.threshold"],
        bounds={"first": (0.0, 3.0), "hidden.threshold": (None, -40.0)},
    )
    trainer.eval()
    with torch.no_grad():
        trainer["hidden.tau"].fill_(-5.0)
        trainer["hidden.threshold"].fill_(0.0)
    trainer(SPIKES + 1)
    # A positive number by which equations divide keeps a hundredth of its value at the start.
    assert trainer["hidden.tau"].item() == pytest.approx(0.1)
    assert trainer["hidden.threshold"].item() == -40
    assert trainer["first"].min() == 0 and trainer["first"].max() == 3
    assert trainer.network().populations["hidden"].values["tau"] == pytest.approx(0.1)


def test_a_batch_that_does_not_fit_is_computed_in_parts_or_refused(monkeypatch):
    from neurosim.backends.gpu.training import memory_need

    spikes = (torch.rand(60, 8, 50) < 0.3).float()
    trainer = trainer_of()
    need = trainer.memory(60, 8)
    assert need.bytes(need.best_chunk) < 0.7 * need.bytes()
    trainer(spikes).sum().backward()
    expected = trainer["first"].grad.clone()
    assert trainer._chunks == {(60, 8): None}

    between = (need.bytes() + need.bytes(need.best_chunk)) / 2 / 0.8
    monkeypatch.setattr(memory_need, "available", lambda: between)
    again = trainer_of()
    output = again(spikes)
    assert output.sum() > 100 and again._chunks == {(60, 8): need.best_chunk}
    output.sum().backward()
    assert torch.allclose(again["first"].grad, expected, rtol=1e-5)

    monkeypatch.setattr(memory_need, "available", lambda: 1000.0)
    with pytest.raises(
        ns.NetworkError,
        match="training with 8 samples of 60 steps, .* steps computed again at a time, takes about "
        ".* GB, found 8e-07 GB that it may take; expected less. Use fewer samples",
    ):
        trainer_of()(spikes)
    trainer_of().eval()(spikes)  # without training nothing is stored


def test_the_estimate_of_memory_is_near_what_autograd_stores():
    trainer = trainer_of(precision="float64")
    spikes = (torch.rand(40, 6, 50) < 0.3).double()
    storages = {}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        output = trainer(spikes)
    stored = sum(s.nbytes() for s in storages.values())
    assert output.sum() > 50
    assert 0.9 * stored < trainer.memory(40, 6).bytes() < 2.5 * stored


def test_a_trainer_stays_in_its_precision_and_on_its_device():
    trainer = trainer_of()
    assert trainer.to("cpu") is trainer and trainer.float() is trainer
    with pytest.raises(
        ns.NetworkError, match="change to torch.float64 on 'cpu', expected it to st"
    ):
        torch.nn.ModuleList([trainer]).double()
    with pytest.raises(ns.NetworkError, match="Make it with precision= and device=, and load"):
        trainer.to("meta")
    if not torch.cuda.is_available():
        with pytest.raises(ns.NetworkError, match="change of device or type that PyTorch refuses"):
            trainer.to("cuda")
    assert trainer.dtype == torch.float32 and trainer.device == torch.device("cpu")
    assert trainer(SPIKES + 1).sum() > 10


def test_a_copy_of_a_trainer_learns_by_itself():
    trainer = trainer_of()
    other = copy.deepcopy(trainer)
    assert torch.equal(trainer(SPIKES + 1), other(SPIKES + 1))
    with torch.no_grad():
        other["first"].zero_()
    assert trainer["first"].any() and trainer(SPIKES + 1).sum() > 10


def test_a_trainer_prints_its_names():
    assert repr(trainer_of()) == (
        "Trainer(inputs=['inputs'], outputs=['output'], learns=['first'])"
    )


def test_values_that_an_unchecked_optimiser_has_ruined_are_found_by_the_next_call():
    trainer = trainer_of(train=["second", "first"])
    optimizer = torch.optim.SGD(trainer.parameters(), lr=math.nan)
    output = trainer(SPIKES + 1)
    assert output.sum() > 10
    output.sum().backward()
    optimizer.step()
    with pytest.raises(ns.SimulationError, match="a value of 'second' that is not finite") as error:
        trainer(SPIKES + 1)
    assert error.value.population == "second"


def test_a_cell_in_sub_steps_is_refused():
    net = layered()
    cell = ns.Cell("dv/dt = -v * v / ms : 1", method="adaptive")
    net.population("extra", 1, cell)
    with pytest.raises(ns.NetworkError, match="'extra': found the method 'adaptive', .*'rk4'"):
        trainer_of(net)


def test_compiled_is_true_false_or_a_number_and_outputs_are_names():
    with pytest.raises(ns.NetworkError, match="compiled: found 'yes', expected True, False, or a"):
        trainer_of(compiled="yes")
    with pytest.raises(ns.NetworkError, match="outputs: found no name, expected some of output"):
        trainer_of()(SPIKES, outputs=[])


def test_a_learning_rate_that_a_schedule_ruins_is_found_before_the_step():
    trainer = trainer_of()
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    trainer.attach(optimizer)
    trainer(SPIKES + 1).sum().backward()
    optimizer.param_groups[0]["lr"] = math.nan
    before = trainer["first"].detach().clone()
    with pytest.raises(ns.NetworkError, match="found the learning rate nan, expected a number"):
        optimizer.step()
    assert torch.equal(trainer["first"], before)


@pytest.mark.parametrize(
    ("hook", "error", "message"),
    [
        (lambda n, g: g[:1], ns.NetworkError, r"a hook returned \(1, 50\), expected a gradient of"),
        (lambda n, g: 3, ns.NetworkError, "a hook returned 3, expected a gradient of shape"),
        (lambda n, g: g * math.nan, ns.SimulationError, "a gradient of 'first' that is not finite"),
    ],
)
def test_gradients_that_are_none_change_no_value(hook, error, message):
    trainer = trainer_of()
    trainer.on_gradient(hook)
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    trainer.attach(optimizer)
    trainer(SPIKES + 1).sum().backward()
    before = trainer["first"].detach().clone()
    with pytest.raises(error, match=message):
        optimizer.step()
    assert torch.equal(trainer["first"], before)


def test_an_optimiser_that_is_attached_first_is_checked_when_gradients_are_projected():
    trainer = trainer_of()
    trainer.attach(torch.optim.SGD(trainer.parameters(), lr=0.1, weight_decay=0.1))
    with pytest.raises(ns.NetworkError, match="found weight decay beside a projection of gradien"):
        trainer.on_gradient(lambda name, gradient: gradient, projects=True)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda o, t: o.sum(0),
            r"returned a tensor of shape \(2, 10\), expected a tensor with one",
        ),
        (lambda o, t: torch.tensor(1.0), r"a tensor of shape \(\) without a gradient"),
        (
            lambda o, t: 3.0,
            "fit, epoch 1, batch 1: the loss function returned 3.0, expected a tens",
        ),
    ],
)
def test_losses_that_cannot_be_differentiated_are_refused(loss, message):
    trainer = trainer_of()
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    batches = [(SPIKES + 1, torch.zeros(2).long())]
    with pytest.raises(ns.NetworkError, match=message):
        fit(trainer, batches, loss=loss, optimizer=optimizer, epochs=1, progress=False)


def test_an_optimiser_of_another_trainer_is_refused():
    optimizer = torch.optim.SGD(trainer_of().parameters(), lr=0.1)
    with pytest.raises(ns.NetworkError, match="found one that holds no value of this Trainer"):
        fit(trainer_of(), [], loss=lambda o, t: o.sum(), optimizer=optimizer, epochs=1)


def test_an_optimiser_of_another_trainer_is_not_attached():
    optimizer = torch.optim.SGD(trainer_of().parameters(), lr=0.1)
    with pytest.raises(ns.NetworkError, match="optimizer: found one that holds no value of this"):
        trainer_of().attach(optimizer)


def test_weight_decay_that_comes_later_is_found_before_the_step():
    trainer = trainer_of()
    trainer.on_gradient(lambda name, gradient: gradient, projects=True)
    optimizer = torch.optim.SGD(trainer.parameters(), lr=0.1)
    trainer.attach(optimizer)
    trainer(SPIKES + 1).sum().backward()
    optimizer.param_groups[0]["weight_decay"] = 0.1
    before = trainer["first"].detach().clone()
    with pytest.raises(ns.NetworkError, match="found weight decay beside a projection of gradien"):
        optimizer.step()
    assert torch.equal(trainer["first"], before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.on_gradient(3), "on_gradient: found 3, expected a function of a name and a"),
        (lambda t: t.on_rows("x"), "on_rows: found 'x', expected a function of a name and a tenso"),
        (lambda t: t.project("first", 3), "project 'first': found 3, expected a function of rows"),
        (lambda t: t.memory(0, 3), "memory, steps: found 0, expected a whole number of at least 1"),
        (lambda t: t.near_threshold(SPIKES, within=-1), "within: found -1, expected a number abov"),
    ],
)
def test_arguments_that_are_no_functions_or_numbers_are_refused_at_once(call, message):
    with pytest.raises(ns.NetworkError, match=message):
        call(trainer_of())


def test_a_device_may_be_an_object_of_torch():
    assert trainer_of(device=torch.device("cpu")).device == torch.device("cpu")
