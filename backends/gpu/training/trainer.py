"""Trainer: a network as a module of torch, whose named values learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from neurosim.errors import NetworkError, SimulationError, describe, describe_unknown
from neurosim.ir.replaced_values import replace_values
from neurosim.network.network import Network
from neurosim.network.validation import read_whole_number

from ..devices import find_device, require_device
from .call import (
    Batch,
    Call,
    NearThreshold,
    Values,
    find_fault,
    find_near_threshold,
)
from .gradients.feedback import read_feedback
from .gradients.first_batch import FirstBatch
from .gradients.hooks import GradientHook, Hooks, RowsHook
from .gradients.methods import Method, read_method
from .gradients.surrogates import read_surrogate
from .interfaces import Output, read_batch, read_inputs, read_outputs
from .learnable import Learnable, divisors
from .limits import Bounds, read_bounds, read_widths
from .loops.chunks import CompiledSteps
from .loops.compiled_loops import CompiledLoops
from .memory_need import MemoryNeed, choose_chunk, measure_need
from .plan import Plan, Settings, make_plan
from .saved_state import add_state

if TYPE_CHECKING:
    Module = nn.Module
else:
    try:
        # Code of snnTorch's users asks for this class.
        from snntorch import SpikingNeuron as Module
    except ImportError:
        Module = nn.Module

# Of the smallest value at the start: equations divide by it.
_LEAST = 0.01
# Steps that torch compiles together: its time grows faster than their number.
_CHUNK = 10
DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Trainer(Module):
    """A network as a module of torch.

    Called with spikes or currents (T, B, N), it returns spikes or traces (T, B, N): T steps of B
    samples. With several inputs or outputs both are dictionaries by name. Each call begins with
    the network's initial states. ``trainer["hidden.tau"]`` is the `torch.nn.Parameter` of a name.

    Parameters
    ----------
    network : Network
    inputs : name or list of names
        Spike sources (``"pixels"``), whose spikes a batch holds; or parameters
        (``"hidden.current"``), whose values in engine units it holds.
    outputs : name or list of names
        Populations (``"output"``), for their spikes; or states (``"output.v"``), for their values
        at the end of each step.
    train : list of names
        What learns: projections (``"layer"``), parameters (``"hidden.tau"``) and initial states
        (``"hidden.v"``). A parameter with one value per neuron learns one per neuron.
    surrogate : str, Surrogate, or function such as ``snntorch.surrogate.fast_sigmoid()``
        The derivative of a spike, in the backward pass alone.
    width : mapping of population -> float, optional
        Unit of the surrogate's distance from the threshold, in engine units. By default the
        distance at the start, such as 20 mV from rest to threshold; 1 if that is 0.
    device : "cuda", "cuda:N", "cpu" or a torch.device of these, optional
        By default a CUDA device if there is one, else the CPU.
    precision : "float32" or "float64"
    method : Method or str
        How gradients are computed.
    bounds : mapping of label -> (low, high), optional
        In engine units, None for no bound: each call begins by moving what learns back between its
        bounds. A positive parameter by which equations divide, such as a time constant, has the
        lower bound of a hundredth of its smallest value at the start.
    feedback : mapping of projection -> name, tensor or function, optional
        Matrices that send errors backward: ``"random"``, ``"sign-concordant"``, ``"none"``, a
        tensor shaped like the weight, or a function of the weight.
    chunk : int, optional
        Steps that are computed again in the backward pass, so that only their states are stored.
        By default none, unless a batch would not fit into memory otherwise.
    compiled : bool or int
        Whether steps are compiled. On the CPU all steps of a population are one loop each way, with
        the spikes of steps one by one and gradients that differ by rounding. On CUDA devices
        `torch.compile` takes a number of steps together, 10 or the number that is given, for
        populations that do not act on themselves: compiling takes minutes, and serves batches of
        the first size.

    Raises
    ------
    NetworkError
        A name that does not exist or cannot learn, a wrong option.

    Attributes
    ----------
    inputs, outputs : tuples of Input and Output
    bounds : label -> (low, high)
    samples_seen : () int64
        Samples of training until now.
    """

    samples_seen: Tensor

    def __init__(
        self,
        network: Network,
        *,
        inputs: str | Sequence[str],
        outputs: str | Sequence[str],
        train: Sequence[str],
        surrogate: object = "fast_sigmoid",
        width: Mapping[str, float] | None = None,
        device: str | torch.device | None = None,
        precision: Literal["float32", "float64"] = "float32",
        method: Method | str = "bptt",
        bounds: Mapping[str, Bounds] | None = None,
        feedback: Mapping[str, object] | None = None,
        chunk: int | None = None,
        compiled: bool | int = False,
    ) -> None:
        # Not that of snnTorch, which adds each neuron to one list that all networks share.
        nn.Module.__init__(self)
        if not isinstance(network, Network):
            raise NetworkError(
                f"Trainer: found {describe(network)}, expected a Network. Make one with ns.Network."
            )
        if precision not in DTYPES:
            raise NetworkError(
                f"Trainer, precision: found {describe(precision)}, expected 'float32' or "
                "'float64'. Give one of these names."
            )
        self._network = network
        self.inputs = read_inputs(inputs, network)
        self.outputs = read_outputs(outputs, network, self.inputs)
        self._settings = Settings(
            inputs=self.inputs,
            outputs=self.outputs,
            train=train,
            surrogate=read_surrogate(surrogate),
            widths=read_widths(width, network),
            method=read_method(method),
            dtype=DTYPES[precision],
            device=_find_device(device),
        )
        self._plan: Plan = make_plan(network, self._settings)
        self._fixed = {
            name: self._weight_at_start(name)
            for name in self._plan.connections
            if name not in self._plan.learns
        }
        for item in self._plan.learns.values():
            self.register_parameter(item.key, nn.Parameter(self._value_at_start(item)))
        self.bounds: dict[str, Bounds] = {**self._positive(), **read_bounds(bounds, self.learns)}
        self._add_feedback(feedback)
        connections = self._plan.connections.items()
        self._hooks = Hooks(
            {name: connection.slots for name, connection in connections if name in self.learns}
        )
        self._chunk = None if chunk is None else read_whole_number(chunk, where="Trainer, chunk")
        self._compiled = _read_compiled(compiled, self._settings.device)
        self._chunks: dict[tuple[int, int], int | None] = {}
        self._first_batch = FirstBatch({label: self[label] for label in self.learns})
        add_state(self, digest=self._plan.hash)

    # ---- making

    def _weight_at_start(self, name: str) -> Tensor:
        settings = self._settings
        weight = self._plan.connections[name].layout(self._plan.memory[name, "w"])
        return torch.from_numpy(np.array(weight)).to(device=settings.device, dtype=settings.dtype)

    def _value_at_start(self, item: Learnable) -> Tensor:
        if item.sort == "weight":
            return self._weight_at_start(item.owner)
        return self._plan.values[item.owner].start[item.name].to(self._settings.dtype).clone()

    def _positive(self) -> dict[str, Bounds]:
        """Return the bounds of positive parameters by which equations divide."""
        result: dict[str, Bounds] = {}
        for label, item in self._plan.learns.items():
            if item.sort == "parameter":
                # Learning must not drive a divisor through 0.
                least = float(self[label].detach().min())
                code = self._plan.program.populations[item.owner].code
                if least > 0 and item.name in divisors(code):
                    result[label] = (_LEAST * least, None)
        return result

    def _add_feedback(self, feedback: Mapping[str, object] | None) -> None:
        connections = self._plan.connections
        operands = {}
        for name, connection in connections.items():
            # Of the first delay: all operands of a projection have one shape.
            operands[name] = connection.prepare(self._weight(name).detach())[0]
        for name, value in read_feedback(feedback, operands, seed=self._network.seed).items():
            if isinstance(value, Tensor):
                # A buffer: part of the state that is saved.
                self.register_buffer(f"feedback {name.replace('.', '/')}", value)
            connections[name].slots.backward = value

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._settings.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of all numbers."""
        return self._settings.dtype

    def extra_repr(self) -> str:
        """Return inputs, outputs and what learns, for ``print``."""
        names = {
            "inputs": [item.label for item in self.inputs],
            "outputs": [output.label for output in self.outputs],
            "learns": self.learns,
        }
        return ", ".join(f"{key}={value}" for key, value in names.items())

    def _apply(self, fn: Any, recurse: bool = True) -> Trainer:
        # `to`, `double` and the like come here. Programs are printed for one type and device.
        try:
            moved = fn(torch.zeros(1, dtype=self.dtype, device=self.device))
        # Of torch, which asserts that it was built for CUDA.
        except (AssertionError, RuntimeError) as error:
            raise NetworkError(
                f"Trainer: found a change of device or type that PyTorch refuses ({error}), "
                f"expected it to stay on {str(self.device)!r}. Make it with precision= and device=."
            ) from error
        # A step is one of a type: words and constants would stay behind in the old one.
        if moved.dtype != self.dtype or moved.device != self.device:
            raise NetworkError(
                f"Trainer: found a change to {moved.dtype} on {str(moved.device)!r}, expected it "
                f"to stay {self.dtype} on {str(self.device)!r}. Make it with precision= and "
                "device=, and load the state."
            )
        super()._apply(fn, recurse)
        return self

    # ---- what learns

    @property
    def learns(self) -> list[str]:
        """The names that learn, in the user's order."""
        return list(self._plan.learns)

    def __getitem__(self, label: str) -> nn.Parameter:
        if label not in self._plan.learns:
            raise NetworkError(
                f"Trainer: {describe_unknown('learning name', label, self._plan.learns)}"
            )
        return self.get_parameter(self._plan.learns[label].key)

    def freeze(self, *labels: str) -> None:
        """Let names learn no more.

        Parameters
        ----------
        *labels : str

        Raises
        ------
        NetworkError
            If a name does not learn.
        """
        # All names are read first: an unknown one must not leave some of them frozen.
        for parameter in [self[label] for label in labels]:
            # An old gradient would be applied by the next step of the optimiser.
            parameter.requires_grad_(False)
            parameter.grad = None

    def thaw(self, *labels: str) -> None:
        """Let names learn again.

        Parameters
        ----------
        *labels : str

        Raises
        ------
        NetworkError
            If a name does not learn.
        """
        for parameter in [self[label] for label in labels]:
            parameter.requires_grad_(True)

    def rows(self, label: str) -> str:
        """Return what multiplies the error of a projection: input, spikes, rate or trace.

        Parameters
        ----------
        label : str
            A projection that learns.
        """
        if label not in self._plan.learns or label not in self._plan.connections:
            weights = [name for name in self._plan.learns if name in self._plan.connections]
            raise NetworkError(
                f"Trainer, rows: {describe_unknown('learning projection', label, weights)}"
            )
        method = self._settings.method
        if method.traces:
            return "trace"
        if method.rates:
            return "rate"
        source = self._plan.connections[label].source
        is_input = any(item.population == source for item in self.inputs)
        return "input" if is_input else "spikes"

    def row_size(self, label: str) -> int:
        """Return how many numbers multiply the error of a projection at a time: N of its rows.

        Parameters
        ----------
        label : str
            A projection that learns.
        """
        self.rows(label)
        connection = self._plan.connections[label]
        if connection.form == "convolution":
            return self[label][0].numel()
        return connection.edges.sources_size

    def project(self, label: str, factor: Callable[[Tensor], Tensor] | None) -> None:
        """Set the map of the presynaptic factor in the weight gradient of a projection.

        Parameters
        ----------
        label : str
            A projection that learns.
        factor : function from rows (R, N) to rows, or None
            The forward pass and the error that is sent backward do not change.
        """
        self.rows(label)
        if factor is not None and not callable(factor):
            raise NetworkError(
                f"Trainer, project {label!r}: found {describe(factor)}, expected a function of "
                "rows, or None. Give one."
            )
        self._plan.connections[label].slots.factor = factor

    def on_gradient(self, hook: GradientHook, *, projects: bool = False) -> None:
        """Call a function with each name and its gradient, before each step of an optimiser.

        Parameters
        ----------
        hook : function (name, gradient) -> gradient or None
            None leaves the gradient.
        projects : bool
            Whether the optimiser must not leave the space of the gradients: `attach` then refuses
            weight decay and steps that are no multiples of gradients.
        """
        self._hooks.add_of_gradients(hook, projects=projects)

    def on_rows(self, hook: RowsHook) -> None:
        """Call a function with each projection and the rows (R, N) that multiply its error.

        Parameters
        ----------
        hook : function (name, rows)
            Called after the hooks of gradients.
        """
        self._hooks.add_of_rows(hook)

    def collect_rows(
        self,
        batch: Tensor | Mapping[str, Tensor],
        outputs: str | Sequence[str] | None = None,
    ) -> dict[str, Tensor]:
        """Return the rows (R, N) that would multiply the errors of a batch; nothing learns.

        Parameters
        ----------
        batch : (T, B, N) tensor, or label -> tensor
        outputs : name or list of names, optional
            As of a call.

        Returns
        -------
        projection -> (R, N)
        """
        call = self._call(batch, self._chosen(outputs))
        # Traces and rates are made for gradients alone.
        with torch.enable_grad():
            return self._hooks.collect(call.run)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Check an optimiser, and let it run the hooks before each of its steps.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer

        Raises
        ------
        NetworkError
            If a learning rate is no number from 0 on, or the optimiser would undo a projection of
            gradients.
        """
        self._hooks.attach(optimizer, {label: self[label] for label in self.learns})

    # ---- a call

    def forward(
        self,
        batch: Tensor | Mapping[str, Tensor],
        outputs: str | Sequence[str] | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Run all steps of a batch.

        Parameters
        ----------
        batch : (T, B, N) tensor, or label -> tensor
            Spikes, 0 or 1, or values of a parameter in engine units.
        outputs : name or list of names, optional
            Some of the outputs, such as one of several heads: others are not computed.

        Returns
        -------
        (T, B, N) tensor, or label -> tensor

        Raises
        ------
        NetworkError
            If tensors disagree in shape, or hold no spikes or no finite numbers.
        SimulationError
            If a value that learns is not finite.
        """
        call = self._call(batch, self._chosen(outputs))
        if self.training and not self._hooks.attached:
            self._require_finite()
        if self.training and torch.is_grad_enabled():
            call = self._fitting(call)
        self._hooks.begin(training=self.training)
        results = call.run()
        self._hooks.end()
        if self.training:
            # From here through two functions of torch to the user's line.
            self._first_batch.warn_of_still_names(stacklevel=5)
            self._first_batch.expect_gradients(of_all=outputs is None)
            self.samples_seen += call.batch.replica.shape[0]
            self._first_batch.warn_of_silence(call.spikes, self._plan.neurons, stacklevel=5)
        if len(results) == 1:
            return next(iter(results.values()))
        return results

    def _call(self, batch: Tensor | Mapping[str, Tensor], outputs: tuple[Output, ...]) -> Call:
        self._keep_bounds()
        settings = self._settings
        tensors = read_batch(batch, self.inputs, dtype=settings.dtype, device=settings.device)
        samples = next(iter(tensors.values())).shape[1]
        # The noise of training goes on from batch to batch; that of tests is always the same.
        replica = torch.arange(samples, device=settings.device).unsqueeze(1)
        return Call(
            self._plan,
            settings,
            Batch(
                tensors=tensors,
                weights={name: self._weight(name) for name in self._plan.connections},
                values={name: self._values(name) for name in self._plan.values},
                outputs=outputs,
                replica=replica + self.samples_seen if self.training else replica,
                chunk=self._chunk,
                compiled=self._compiled,
            ),
        )

    def _require_finite(self) -> None:
        """Raise if an optimiser that was not checked has ruined a value that learns."""
        for label in self.learns:
            # One sum for all values: in usual networks it costs some microseconds.
            if not bool(torch.isfinite(self[label].detach().sum())):
                raise SimulationError(
                    f"Trainer: found a value of {label!r} that is not finite, expected numbers: an "
                    "optimiser has ruined it. Use a smaller learning rate that is a number, or "
                    "clip gradients; trainer.attach(optimizer) checks an optimiser beforehand.",
                    population=self._plan.learns[label].owner,
                )

    def _fitting(self, call: Call) -> Call:
        """Return a call whose backward pass fits into memory.

        Raises
        ------
        NetworkError
            If none does.
        """
        shape = call.batch.steps, call.batch.replica.shape[0]
        if shape not in self._chunks:
            # Measured once for each shape: batches of one loader have at most two.
            self._chunks[shape] = choose_chunk(
                self.memory(*shape), self._chunk, device=self._settings.device
            )
        chunk = self._chunks[shape]
        return Call(self._plan, self._settings, replace(call.batch, chunk=chunk))

    def memory(self, steps: int, samples: int) -> MemoryNeed:
        """Return the memory that training with a batch will take.

        Parameters
        ----------
        steps, samples : int
            T and B.

        Returns
        -------
        MemoryNeed
        """
        for name, count in (("steps", steps), ("samples", samples)):
            read_whole_number(count, where=f"Trainer, memory, {name}")

        def run(few_steps: int, few_samples: int) -> dict[str, Tensor]:
            shape = few_steps, few_samples
            # The content does not matter: a graph takes as much memory without spikes.
            batch = {item.label: torch.zeros(*shape, item.size) for item in self.inputs}
            call = self._call(batch, self.outputs)
            loops = call.batch.compiled
            # Loops store less than steps one by one; chunks of torch are of one length alone.
            compiled = loops if isinstance(loops, CompiledLoops) else None
            whole = replace(call.batch, chunk=None, compiled=compiled)
            return Call(self._plan, self._settings, whole).run()

        with torch.enable_grad():
            return measure_need(
                run,
                steps=steps,
                samples=samples,
                series=self._plan.numbers_per_step(),
                states=self._plan.numbers_of_states(),
                itemsize=self._settings.dtype.itemsize,
            )

    def _chosen(self, outputs: str | Sequence[str] | None) -> tuple[Output, ...]:
        if outputs is None:
            return self.outputs
        labels = [outputs] if isinstance(outputs, str) else list(outputs)
        known = {output.label: output for output in self.outputs}
        if not labels:
            raise NetworkError(
                f"outputs: found no name, expected some of {', '.join(known)}. Name one, or leave "
                "outputs= out for all."
            )
        for label in labels:
            if label not in known:
                raise NetworkError(f"outputs: {describe_unknown('output', label, known)}")
        return tuple(known[label] for label in labels)

    def _keep_bounds(self) -> None:
        with torch.no_grad():
            for label, (low, high) in self.bounds.items():
                inside = self[label].clamp(low, high)
                # Written only if it changes: the graph of an earlier call may hold the values.
                if not torch.equal(inside, self[label]):
                    self[label].copy_(inside)

    def _weight(self, name: str) -> Tensor:
        return self._fixed[name] if name in self._fixed else self[name]

    def _values(self, name: str) -> Values:
        # Constants follow from parameters in float64, and are rounded once below.
        learned = {
            item.name: self[label].double()
            for label, item in self._plan.learns.items()
            if item.sort != "weight" and item.owner == name
        }
        source = self._plan.values[name]
        values = source(learned) if learned else source.start
        values = {key: value.to(self._settings.dtype) for key, value in values.items()}
        states = self._plan.program.populations[name].code.states
        initial = {key: values.pop(key) for key in states}
        return values, initial

    @torch.no_grad()
    def find_fault(self, batch: Tensor | Mapping[str, Tensor]) -> str:
        """Return the first projection or population with a value that is not finite.

        Parameters
        ----------
        batch : (T, B, N) tensor, or label -> tensor

        Returns
        -------
        str
            In words; empty if there is none.
        """
        call = self._call(batch, self.outputs)
        call.run()
        return find_fault(call)

    @property
    def compile_seconds(self) -> float:
        """Seconds that compiling has taken until now."""
        return 0.0 if self._compiled is None else self._compiled.seconds

    @torch.no_grad()
    def near_threshold(
        self, batch: Tensor | Mapping[str, Tensor], *, within: float = 1e-6
    ) -> list[NearThreshold]:
        """Return the neurons of which rounding may decide whether they spike.

        Sums of matrix products differ in the last bits from those that other engines make edge by
        edge: where a trained network spikes otherwise on a backend, the first neuron is here.

        Parameters
        ----------
        batch : (T, B, N) tensor, or label -> tensor
        within : float (1)
            Part of the surrogate's width, that is, of the distance from threshold at the start.
        """
        if not within > 0:
            raise NetworkError(
                f"Trainer, near_threshold, within: found {within!r}, expected a number above 0. "
                "Correct it."
            )
        call = self._call(batch, self.outputs)
        plain = replace(call.batch, compiled=None)
        return find_near_threshold(Call(self._plan, self._settings, plain), within)

    def reset_mem(self) -> None:
        """Do nothing: each call begins with the initial states. For code that expects snnTorch."""

    # ---- afterwards

    def network(self) -> Network:
        """Return a network with the values of now, which every backend runs."""
        self._keep_bounds()
        populations: dict[str, dict[str, np.ndarray]] = {}
        weights: dict[str, np.ndarray] = {}
        for label, item in self._plan.learns.items():
            value = self[label].detach().double().cpu().numpy()
            if item.sort == "weight":
                weights[item.owner] = self._plan.connections[item.owner].per_edge(value)
            else:
                populations.setdefault(item.owner, {})[item.name] = value
        return replace_values(self._network, populations=populations, weights=weights)


def _find_device(name: object) -> torch.device:
    # Users of torch keep a device as an object.
    if isinstance(name, torch.device):
        name = str(name)
    require_device(name)
    if name is None and not torch.cuda.is_available():
        name = "cpu"
    return find_device(None if name is None else str(name))


def _read_compiled(
    compiled: bool | int, device: torch.device
) -> CompiledSteps | CompiledLoops | None:
    """Return what compiles steps: on the CPU loops over all steps, else chunks by torch."""
    if compiled is False:
        return None
    length = _CHUNK
    if isinstance(compiled, str) or compiled is None:
        raise NetworkError(
            f"Trainer, compiled: found {describe(compiled)}, expected True, False, or a number of "
            "steps. Give one of these."
        )
    if compiled is not True:
        length = read_whole_number(compiled, where="Trainer, compiled")
    return CompiledLoops() if device.type == "cpu" else CompiledSteps(length)
