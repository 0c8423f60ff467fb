"""Inputs and outputs of a Trainer: their names, and the check of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.network.network import Network


@dataclass(frozen=True)
class Input:
    """A spike source whose spikes a batch holds, or a parameter that follows a batch.

    Attributes
    ----------
    label : str
        As the user writes it.
    population : str
    parameter : str or None
        None: spikes.
    size : int
        N neurons.
    """

    label: str
    population: str
    parameter: str | None
    size: int


@dataclass(frozen=True)
class Output:
    """Spikes of a population, or the trace of a state.

    Attributes
    ----------
    label : str
    population : str
    state : str or None
        None: spikes.
    """

    label: str
    population: str
    state: str | None


def read_inputs(names: object, network: Network) -> tuple[Input, ...]:
    """Return the inputs.

    Parameters
    ----------
    names : str or list of str
        Spike sources (``"pixels"``) and parameters (``"hidden.current"``).
    network : Network

    Raises
    ------
    NetworkError
        If there is no such source or parameter, or one occurs twice.
    """
    sources = {}
    for population in network.populations.values():
        if population.source_spikes is not None:
            sources[population.name] = population.size
    parameters = {}
    for population in network.populations.values():
        for parameter in population.cell.parameters:
            label = f"{population.name}.{parameter.name}"
            parameters[label] = Input(label, population.name, parameter.name, population.size)
    listed = _read_names(names, "inputs", "spike source or parameter", [*sources, *parameters])
    inputs = []
    for label in listed:
        is_source = label in sources
        inputs.append(Input(label, label, None, sources[label]) if is_source else parameters[label])
    return tuple(inputs)


def read_outputs(names: object, network: Network, inputs: Iterable[Input]) -> tuple[Output, ...]:
    """Return the outputs.

    Parameters
    ----------
    names : str or list of str
        Populations, for their spikes, and states (``"readout.v"``), for their traces.
    network : Network
    inputs : inputs of the Trainer

    Raises
    ------
    NetworkError
        If there is no such population or state, or one occurs twice.
    """
    replayed = {item.population for item in inputs if item.parameter is None}
    outputs: dict[str, Output] = {}
    for population in network.populations.values():
        if population.name in replayed:
            continue
        if population.cell.spike is not None:
            outputs[population.name] = Output(population.name, population.name, None)
        for state in population.cell.states:
            label = f"{population.name}.{state.name}"
            outputs[label] = Output(label, population.name, state.name)
    listed = _read_names(names, "outputs", "spiking population or state", outputs)
    return tuple(outputs[label] for label in listed)


def _read_names(
    names: object,
    argument: str,
    noun: str,
    valid: Iterable[str],
) -> list[str]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list | tuple) or not listed:
        raise NetworkError(
            f"Trainer, {argument}: found {describe(names)}, expected a name or a list of names. "
            f"Name at least one {noun}."
        )
    known = set(valid)
    for name in listed:
        if not isinstance(name, str) or name not in known:
            raise NetworkError(f"Trainer, {argument}: {describe_unknown(noun, name, known)}")
        if list(listed).count(name) > 1:
            raise NetworkError(
                f"Trainer, {argument}: found {name!r} twice, expected each name once. Remove one."
            )
    return list(listed)


def read_batch(
    batch: object,
    inputs: tuple[Input, ...],
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return the tensors of a batch by label, checked.

    Parameters
    ----------
    batch : (T, B, N) tensor, or label -> tensor
        A bare tensor if there is one input.
    inputs : tuple of Input
    dtype, device
        Of the result.

    Raises
    ------
    NetworkError
        If tensors are missing, disagree in shape, or hold no spikes or no finite numbers.
    """
    tensors = _by_label(batch, inputs)
    for item in inputs:
        _require_shape(item, tensors[item.label])
    shapes = {item.label: tuple(tensors[item.label].shape[:2]) for item in inputs}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{label} {shape}" for label, shape in shapes.items())
        raise NetworkError(
            f"batch: found inputs of different steps and samples (T, B): {listed}; expected the "
            "same for all inputs. Cut or pad them."
        )
    for item in inputs:
        _require_values(item, tensors[item.label])
    return {item.label: tensors[item.label].to(device=device, dtype=dtype) for item in inputs}


def _by_label(batch: object, inputs: tuple[Input, ...]) -> dict[str, Tensor]:
    if isinstance(batch, Mapping):
        labels = [item.label for item in inputs]
        for name in batch:
            if name not in labels:
                raise NetworkError(f"batch: {describe_unknown('input', name, labels)}")
        missing = [label for label in labels if label not in batch]
        if missing:
            raise NetworkError(
                f"batch: found no tensor of {', '.join(map(repr, missing))}, expected one for each "
                f"input: {', '.join(labels)}. Add it."
            )
        tensors: dict[Any, Any] = dict(batch)
    elif len(inputs) == 1:
        tensors = {inputs[0].label: batch}
    else:
        listed = ", ".join(item.label for item in inputs)
        raise NetworkError(
            f"batch: found {_describe(batch)}, expected a dictionary with a tensor for each input: "
            f"{listed}. Name them."
        )
    result: dict[str, Tensor] = {}
    for label, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise NetworkError(
                f"batch, input {label!r}: found {_describe(tensor)}, expected a tensor (T, B, N). "
                "Convert it with torch.as_tensor."
            )
        result[str(label)] = tensor
    return result


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return describe(value)


def _require_shape(item: Input, tensor: Tensor) -> None:
    shape = tuple(tensor.shape)
    if tensor.ndim != 3 or shape[2] != item.size or 0 in shape:
        raise NetworkError(
            f"batch, input {item.label!r}: found shape {shape}, expected (steps, samples, "
            f"{item.size}), at least one of each. Reshape it: time comes first."
        )


def _require_values(item: Input, tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.is_complex():
        sort = "complex numbers" if tensor.is_complex() else f"the layout {tensor.layout}"
        raise NetworkError(
            f"batch, input {item.label!r}: found {sort}, expected a dense tensor of real numbers. "
            "Convert it, as with to_dense()."
        )
    # Steps that are one row of memory are read once.
    if tensor.stride(0) == 0:
        tensor = tensor[:1]
    if item.parameter is None:
        if not _are_spikes(tensor):
            wrong = tensor[(tensor != 0) & (tensor != 1)].flatten()[0].item()
            raise NetworkError(
                f"batch, input {item.label!r}: found {wrong:g}, expected spikes, 0 or 1. Encode "
                "the values, as snntorch.spikegen.rate does, or drive a parameter: inputs="
                "'population.current'."
            )
    elif not bool(torch.isfinite(tensor).all()):
        raise NetworkError(
            f"batch, input {item.label!r}: found a value that is not finite, expected numbers. "
            "Correct the data."
        )


def _are_spikes(tensor: Tensor) -> bool:
    """Return whether all values are 0 or 1."""
    if tensor.dtype == torch.bool:
        return True
    values = tensor.detach() if tensor.is_floating_point() else tensor.float()
    # Only 0 and 1 are their own squares. Sums of distances take a fifth of the time of
    # comparisons, if steps one by one stay in the cache.
    rest = torch.empty_like(values[0])
    sums = [torch.addcmul(x, x, x, value=-1, out=rest).abs_().sum() for x in values]
    return not bool(torch.stack(sums).any())
