"""Connections: a projection as an operation over samples, chosen by how its edges lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neurosim.draws.values import Shared
from neurosim.ir.program import PlasticProjection, ProjectionProgram, StaticProjection
from neurosim.network.projections import Projection
from neurosim.network.wiring.grids import average_pooling, convolution

from .gradients.operations import (
    EdgeLists,
    Slots,
    Window,
    convolve,
    differentiate_kernel,
    differentiate_sparse,
    differentiate_weight,
    linear,
    patches,
    send_back,
    send_back_images,
    send_back_sparse,
    sparse,
)

Form = Literal["matrix", "edges", "shared", "one", "convolution", "pooling"]
Signal = Callable[[dict[str, Any]], Tensor]
"""From values of the source by name to the number that edges multiply by their weight."""

# A matrix of all pairs costs time for pairs without an edge, a list of edges memory for each
# sample: the matrix wins unless it is large and nearly empty.
_LARGE = 1 << 22
_FILLED = 0.02


@dataclass(frozen=True)
class Grid:
    """The window of a convolution or pooling.

    Attributes
    ----------
    source, target : (channels, height, width)
    size : (rows, columns)
    window : Window
    """

    source: tuple[int, int, int]
    target: tuple[int, int, int]
    size: tuple[int, int]
    window: Window


@dataclass(frozen=True, eq=False)
class Connection:
    """A projection that does not change.

    Attributes
    ----------
    name, source, target, port : str
    same_step : bool
    form : Form
        How the weight lies: a matrix (N_target, N_source); one per edge; those that edges share;
        one for all; a kernel (O, C, rows, columns); one for all of a window.
    delays : tuple of int
        The distinct delays in steps, ascending.
    edges : EdgeLists
        Of all delays.
    of_delay : (E,) int64
        Position of the delay of each edge.
    shared : (E,) int64 or None
        Position of the weight of each edge; of a kernel, if memory has a weight for each edge.
    dense : bool
        Whether a matrix is multiplied.
    grid : Grid or None
    slots : Slots
    signal : Signal or None
        Of graded projections, whose sources send a number in each step; None: spikes.
    """

    name: str
    source: str
    target: str
    port: str
    same_step: bool
    form: Form
    delays: tuple[int, ...]
    edges: EdgeLists
    of_delay: Tensor
    shared: Tensor | None
    dense: bool
    grid: Grid | None
    slots: Slots
    signal: Signal | None = None

    def layout(self, weight: np.ndarray) -> np.ndarray:
        """Return the weights of memory as they learn.

        Parameters
        ----------
        weight : (1,), (E,) or (K,)
            In the order of edges.
        """
        if self.form == "convolution" and self.grid is not None:
            channels = self.grid.target[0], self.grid.source[0]
            # Edges that share a tap have equal weights, so any of them may be written last.
            if self.shared is not None:
                kernel = np.zeros(np.prod([*channels, *self.grid.size]), weight.dtype)
                kernel[self.shared.cpu().numpy()] = weight
                weight = kernel
            return weight.reshape(*channels, *self.grid.size).copy()
        if self.form in ("shared", "one", "pooling"):
            return weight.copy()
        # A shared value learns as one for each edge from here on, so each edge gets its own.
        full = np.broadcast_to(weight, self.edges.sources.numel())
        if self.form == "edges":
            return full.copy()
        # By source in memory; torch has the targets first.
        return full.reshape(self.edges.sources_size, self.edges.size).T.copy()

    def per_edge(self, weight: np.ndarray) -> np.ndarray:
        """Return weights as a network takes them: per edge, or those that edges share."""
        return (weight.T if self.form == "matrix" else weight).reshape(-1).copy()

    def prepare(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Return for each delay the operand of `deliver`: a matrix, kernel, or weights of edges.

        Parameters
        ----------
        weight : Tensor
            As it learns.
        """
        if self.form in ("matrix", "convolution", "pooling"):
            return (weight,)
        if self.shared is None:
            per_edge = weight.expand(self.edges.sources.numel())
        else:
            per_edge = weight[self.shared]
        operands = []
        for number in range(len(self.delays)):
            chosen, edges = self._of(number)
            operand = per_edge if chosen is None else per_edge[chosen]
            if self.dense:
                # Accumulated: two edges may join the same pair, and their weights add up.
                nothing = operand.new_zeros(edges.size, edges.sources_size)
                pairs = (edges.targets, edges.sources)
                operand = nothing.index_put(pairs, operand, accumulate=True)
            operands.append(operand)
        return tuple(operands)

    def deliver(
        self,
        x: Tensor,
        operands: tuple[Tensor, ...],
        number: int,
        *,
        trace: Tensor | None = None,
    ) -> Tensor:
        """Return what a source adds to the port, for the edges of one delay.

        Parameters
        ----------
        x : (..., N_source)
        operands : tuple
            Of `prepare`.
        number : int
            Position of the delay.
        trace : (..., N_source), optional
            Multiplies the error in place of x.
        """
        # Input that is the same in all steps is one row of memory, and needs one product.
        if trace is None and x.ndim == 3 and x.shape[0] > 1 and x.stride(0) == 0:
            return self.deliver(x[:1], operands, number).expand(x.shape[0], -1, -1)
        operand = operands[number]
        if self.grid is not None:
            return self._over_grid(x, operand, self.grid, trace)
        if self.dense:
            return linear(x, operand, self.slots, trace=trace)
        return sparse(x, operand, self._of(number)[1], self.slots, trace=trace)

    def _over_grid(
        self,
        x: Tensor,
        operand: Tensor,
        grid: Grid,
        trace: Tensor | None,
    ) -> Tensor:
        def images(flat: Tensor) -> Tensor:
            return flat.reshape(-1, *grid.source)

        if self.form == "pooling":
            # The mean times the number of cells is the sum, each cell of which has the weight.
            means = functional.avg_pool2d(images(x), grid.size, **grid.window.options)
            pooled = means * (operand * (grid.size[0] * grid.size[1]))
            return pooled.reshape(*x.shape[:-1], -1)
        if self.slots.listening:
            # Summed up over steps first: patches of all steps would be many times as many.
            series = self.slots.summed_up(x if trace is None else trace)
            self.slots.rows.append(patches(images(series), operand, grid.window))
        traced = None if trace is None else images(trace)
        result = convolve(images(x), operand, self.slots, window=grid.window, trace=traced)
        return result.reshape(*x.shape[:-1], -1)

    def send_back(self, errors: Tensor, operands: tuple[Tensor, ...], number: int) -> Tensor | None:
        """Return the errors of the source from those at the port, None if none are sent.

        Parameters
        ----------
        errors : (..., N)
        operands : tuple
            Of `prepare`.
        number : int
            Position of the delay.

        Returns
        -------
        (..., N_source) or None
        """
        operand = operands[number]
        if self.grid is not None:
            result = self._send_images_back(errors.reshape(-1, *self.grid.target), operand)
            return None if result is None else result.reshape(*errors.shape[:-1], -1)
        if self.dense:
            return send_back(errors, operand, self.slots)
        return send_back_sparse(errors, operand, self._of(number)[1], self.slots)

    def _send_images_back(self, errors: Tensor, operand: Tensor) -> Tensor | None:
        if self.grid is None:
            raise LookupError(f"projection {self.name!r} has no images")
        shape = torch.Size((errors.shape[0], *self.grid.source))
        if self.form == "convolution":
            window = self.grid.window
            return send_back_images(errors, operand, self.slots, window=window, shape=shape)
        # Pooling is linear, so its derivative is the same for all images.
        with torch.enable_grad():
            images = errors.new_zeros(shape, requires_grad=True)
            means = functional.avg_pool2d(images, self.grid.size, **self.grid.window.options)
            cells = self.grid.size[0] * self.grid.size[1]
            (result,) = torch.autograd.grad(means, images, errors * (operand.detach() * cells))
        return result

    def differentiate(
        self,
        errors: Tensor,
        presynaptic: Tensor,
        operands: tuple[Tensor, ...],
        number: int,
    ) -> Tensor:
        """Return the gradient of the operand of a delay.

        Parameters
        ----------
        errors : (..., N)
            At the port.
        presynaptic : (..., N_source)
            What multiplies them.
        operands : tuple
            Of `prepare`.
        number : int
            Position of the delay.
        """
        if self.grid is not None:
            return differentiate_kernel(
                errors.reshape(-1, *self.grid.target),
                presynaptic.reshape(-1, *self.grid.source),
                self.slots,
                window=self.grid.window,
                like=operands[number],
            )
        if self.dense:
            return differentiate_weight(errors, presynaptic, self.slots)
        return differentiate_sparse(errors, presynaptic, self._of(number)[1], self.slots)

    def _of(self, number: int) -> tuple[Tensor | None, EdgeLists]:
        """Return the positions of the edges of a delay, None for all, and the edges."""
        # Usual networks have one delay: no list is made again in each step.
        if len(self.delays) == 1:
            return None, self.edges
        chosen = torch.nonzero(self.of_delay == number).squeeze(1)
        sources = self.edges.sources[chosen]
        targets = self.edges.targets[chosen]
        return chosen, EdgeLists(sources, targets, self.edges.size, self.edges.sources_size)


def connection_of(
    program: StaticProjection | PlasticProjection,
    projection: Projection,
    weight: np.ndarray,
    *,
    learns: bool,
    sources_size: int,
    device: torch.device,
) -> Connection:
    """Return the operation of a projection.

    Parameters
    ----------
    program : StaticProjection or PlasticProjection
        The latter graded, see `neurosim.backends.gpu.training.graded`.
    projection : Projection
        As the user wrote it.
    weight : (1,), (E,) or (K,)
        As in memory.
    learns : bool
        One weight for all edges learns as one for each.
    sources_size : int
        Neurons of the source.
    device : torch.device
    """
    if program.port is None:
        raise LookupError(f"projection {program.name!r} delivers nothing")
    count = program.targets.size
    # Of graded input only the part behind the synapse delays.
    delay = program.axonal if isinstance(program, StaticProjection) else program.dendritic
    delays, of_delay = np.unique(np.asarray(delay), return_inverse=True)
    has_one_delay = delays.size == 1
    # Rules have one weight per edge in memory: whether they share a kernel is found from these.
    if isinstance(program, PlasticProjection):
        kernel_index = _kernel_index(program, projection, weight)
        shared_index = None
    else:
        kernel_index = shared_index = program.shared
    grid = None
    if has_one_delay:
        grid = _grid(projection, weight, kernel_index, learns=learns)
    form: Form = "edges"
    if grid is not None:
        form = "convolution" if isinstance(projection.connector, convolution) else "pooling"
    elif shared_index is not None:
        form = "shared"
    elif has_one_delay and _joins_all(program, sources_size):
        form = "matrix"
    elif weight.size == 1 and not learns:
        form = "one"
    # A kernel learns itself; only if memory has a copy of it for each edge it must be gathered.
    position = shared_index
    if grid is not None:
        position = kernel_index if isinstance(program, PlasticProjection) else None

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(values, np.int64)).to(device)

    pairs = sources_size * program.size
    sources, targets = tensor(program.sources), tensor(program.targets)
    return Connection(
        name=program.name,
        source=program.source,
        target=program.target,
        port=program.port,
        same_step=program.same_step,
        form=form,
        delays=tuple(map(int, delays)),
        edges=EdgeLists(sources, targets, program.size, sources_size),
        of_delay=tensor(np.broadcast_to(of_delay, count)),
        shared=None if position is None else tensor(position),
        dense=form == "matrix" or pairs <= _LARGE or count >= _FILLED * pairs,
        grid=grid,
        slots=Slots(),
    )


def graded(connection: Connection, signal: Signal) -> Connection:
    """Return a connection whose sources send a number in each step."""
    return replace(connection, signal=signal)


def _grid(
    projection: Projection,
    weight: np.ndarray,
    index: np.ndarray | None,
    *,
    learns: bool,
) -> Grid | None:
    """Return the grid of a projection whose edges are those of its convolution or pooling."""
    connector: Any = projection.connector
    if not _joins_wholes(projection):
        return None
    if isinstance(connector, convolution):
        user = projection.weight
        # Weights of the user's own may be shared in another way.
        fits = isinstance(user, Shared) and np.array_equal(user.index, connector.weights.index)
        if index is None or not fits:
            return None
    elif isinstance(connector, average_pooling):
        if learns or weight.size != 1:
            return None
    else:
        return None
    return Grid(
        connector.shape,
        connector.target_shape,
        connector.window,
        Window(connector.stride, connector.padding),
    )


def _joins_wholes(projection: Projection) -> bool:
    """Return whether a projection joins whole populations, not views of some neurons."""
    return projection.source.whole and projection.target.whole


def _kernel_index(
    program: PlasticProjection, projection: Projection, weight: np.ndarray
) -> np.ndarray | None:
    """Return the position in its kernel of each edge's weight; None: they are no kernel's."""
    connector: Any = projection.connector
    if not isinstance(connector, convolution) or not _joins_wholes(projection):
        return None
    # The tap of an edge is the source's cell within the window of its target.
    channel, *cells = np.unravel_index(program.sources, connector.shape)
    target, *positions = np.unravel_index(program.targets, connector.target_shape)
    taps = [
        cell - (position * stride - padding)
        for cell, position, stride, padding in zip(
            cells, positions, connector.stride, connector.padding, strict=True
        )
    ]
    shape = connector.target_shape[0], connector.shape[0], *connector.window
    index = np.ravel_multi_index((target, channel, *taps), shape)
    kernel = np.zeros(np.prod(shape), weight.dtype)
    kernel[index] = weight
    # A rule begins with one weight per edge, and a user may give each its own.
    return index if np.array_equal(kernel[index], np.broadcast_to(weight, index.shape)) else None


def _joins_all(program: ProjectionProgram, sources_size: int) -> bool:
    """Return whether each source has one edge to each target."""
    size = program.size
    if program.targets.size != sources_size * size or (np.diff(program.pointer) != size).any():
        return False
    targets_of_source = program.targets.reshape(sources_size, size)
    return bool((targets_of_source == np.arange(size)).all())
