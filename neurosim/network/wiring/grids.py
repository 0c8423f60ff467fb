"""Connectors between populations that are grids of channels, rows and columns.

The neuron of channel c, row y and column x of a grid (C, H, W) has the index (c * H + y) * W + x,
as in an array of that shape that is flattened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...draws.sampling import index_type
from ...draws.streams import Stream
from ...draws.values import PLAIN, Shared, shared
from ...errors import NetworkError, describe
from ...quantities import as_array, find_unit, is_pint, to_engine
from ...units import Quantity
from ..edges import EdgeCount, Edges, IntArray
from ..validation import read_whole_number

Shape = tuple[int, int, int]
"""Channels, height and width of a grid."""


@dataclass(frozen=True)
class _Window:
    """A window that moves over a grid, and the grid of its positions.

    Attributes
    ----------
    source : (channels, height, width)
    size, stride, padding : (rows, columns)
    noun : str
        Begins messages.
    """

    source: Shape
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    noun: str

    def __post_init__(self) -> None:
        axes = zip(self.source[1:], self.size, self.padding, ("height", "width"), strict=True)
        for extent, size, padding, name in axes:
            # A larger window has no position at all, and the target no neurons.
            if size > extent + 2 * padding:
                raise NetworkError(
                    f"{self.noun}: found a window of {name} {size} over a grid of {name} {extent} "
                    f"with padding {padding}, expected at most {extent + 2 * padding}. Use a "
                    "smaller window or more padding."
                )

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns of the grid of positions."""
        axes = zip(self.source[1:], self.size, self.stride, self.padding, strict=True)
        # Rounded down, as layers of artificial networks do: cells at the far end may be left out.
        rows, columns = (
            (extent + 2 * padding - size) // stride + 1 for extent, size, stride, padding in axes
        )
        return rows, columns

    def overlaps(self, axis: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return along an axis each cell of the grid that a position covers.

        Returns
        -------
        cells, positions, taps : (R,)
            Cell of the grid, position of the window, and cell of the window.
        """
        positions = np.arange(self.positions[axis])
        taps = np.arange(self.size[axis])
        # The first window begins outside of the grid, in the padding.
        starts = positions * self.stride[axis] - self.padding[axis]
        cells = starts[:, None] + taps
        # Padding is silent, so its cells need no edges.
        is_inside = (cells >= 0) & (cells < self.source[1 + axis])
        position, tap = np.nonzero(is_inside)
        return cells[is_inside], position, tap

    def require_sizes(self, target: Shape, n_source: int, n_target: int) -> None:
        """Raise NetworkError unless populations have as many neurons as their grids."""
        ends = (("source", self.source, n_source), ("target", target, n_target))
        for end, shape, count in ends:
            if math.prod(shape) != count:
                raise NetworkError(
                    f"{self.noun}: found a {end} of {count} neurons, expected {math.prod(shape)}, "
                    f"a grid of {shape[0]} channels, height {shape[1]} and width {shape[2]}. "
                    "Give the population this size, or correct the shape."
                )


@dataclass(frozen=True, eq=False)
class convolution:
    """Join two grids by a kernel, which is stored once: the weights of its edges are shared.

    The target receives the cross-correlation that layers of artificial networks compute: summed
    over the spikes of the source, ``torch.nn.functional.conv2d(spikes, kernel, stride=stride,
    padding=padding)``. The neuron of channel c, row y and column x has the index
    ``(c * height + y) * width + x``.

    Parameters
    ----------
    kernel : (O, C, rows, columns) quantity
        Weights, in the unit of the port: of target channel, source channel, row and column. Of two
        dimensions: one channel at both ends. `Run.get` and `Run.set` mean it flattened.
    shape : (channels, height, width) or (height, width)
        Grid of the source; a series in time or space has height 1.
    stride : int or (rows, columns)
        By which the kernel moves.
    padding : int or (rows, columns)
        Cells around the grid that are always silent.

    Raises
    ------
    NetworkError
        If shapes do not fit together; when the projection is added, if a population has another
        size than its grid.

    Attributes
    ----------
    target_shape : (channels, height, width)
        Grid of the target.
    target_size : int
        Neurons of the target.

    Examples
    --------
    >>> edges = ns.convolution(kernel, shape=(1, 28, 28), stride=2)
    >>> hidden = net.population("hidden", edges.target_size, cell)
    >>> net.project(pixels, hidden, edges)
    """

    kernel: Any = field(repr=False)
    shape: Shape
    stride: tuple[int, int]
    padding: tuple[int, int]

    def __init__(
        self,
        kernel: Quantity,
        *,
        shape: tuple[int, ...],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        values, dimensions = _read_kernel(kernel)
        grid = _read_shape(shape, "convolution")
        if dimensions[1] != grid[0]:
            raise NetworkError(
                f"convolution: found a kernel {dimensions} over a grid of {grid[0]} channels, "
                "expected (target channels, source channels, rows, columns) with as many source "
                "channels. Correct the kernel or the shape."
            )
        window = _Window(
            source=grid,
            size=dimensions[2:],
            stride=_read_pair(stride, "convolution, stride", least=1),
            padding=_read_pair(padding, "convolution, padding", least=0),
            noun="convolution",
        )
        target = (dimensions[0], *window.positions)
        fields = {
            "kernel": kernel,
            "shape": grid,
            "stride": window.stride,
            "padding": window.padding,
            "target_shape": target,
            "target_size": math.prod(target),
            "_values": values,
            "_window": window,
        }
        # Fields of a frozen dataclass can be assigned in this way alone.
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    target_shape: Shape
    target_size: int
    _values: Any = field(repr=False)
    _window: _Window = field(repr=False)

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return self._window.size

    @property
    def weights(self) -> Shared:
        """The kernel, and for each edge the position of its weight in the kernel."""
        # Made when it is asked for: it is far larger than the kernel.
        _, _, position = self._edges()
        return shared(self._values, index=position)

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: one for each cell of the source that a kernel covers.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If a population has another size than its grid.
        """
        self._window.require_sizes(self.target_shape, n_source, n_target)
        rows, columns = (self._window.overlaps(axis)[0].size for axis in (0, 1))
        return EdgeCount(self.shape[0] * self.target_shape[0] * rows * columns)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return the edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If a view has another size than its grid.
        """
        self.count(sources.size, targets.size, recurrent=recurrent)
        source, target, _ = self._edges()
        return _pack(source, target, sources.size, targets.size)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        dimensions = (self.target_shape[0], self.shape[0], *self._window.size)
        kernel = "x".join(map(str, dimensions))
        return f"convolution {kernel} of {'x'.join(map(str, self.shape))}"

    def _edges(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return source, target and position in the kernel of each edge, sorted by pair."""
        window = self._window
        channels, height, width = self.shape
        outputs, rows, columns = self.target_shape
        # Each quantity has an axis of its own, and broadcasting makes all combinations.
        y, y_target, y_tap = (a[:, None, None] for a in window.overlaps(0))
        x, x_target, x_tap = (a[:, None] for a in window.overlaps(1))
        c = np.arange(channels)[:, None, None, None]
        o = np.arange(outputs)
        source = (c * height + y) * width + x
        target = (o * rows + y_target) * columns + x_target
        kernel_rows, kernel_columns = window.size
        tap = y_tap * kernel_columns + x_tap
        kernel = (o * channels + c) * (kernel_rows * kernel_columns) + tap
        return _sort(source, target, kernel, below=self.target_size)


@dataclass(frozen=True, eq=False)
class average_pooling:
    """Join each channel of a grid to a smaller one by means over a window that moves over it.

    Summed over the spikes of the source, the target receives ``weight`` times
    ``torch.nn.functional.avg_pool2d(spikes, size, stride=stride, padding=padding)``; all edges have
    the weight ``weight / (rows * columns)``. Neurons are numbered as by `convolution`.

    Parameters
    ----------
    size : int or (rows, columns)
        Of the window.
    shape : (channels, height, width) or (height, width)
        Grid of the source.
    stride : int or (rows, columns), optional
        By which the window moves; its size by default, so that windows do not overlap.
    padding : int or (rows, columns)
        Silent cells around the grid, which count in the mean; at most half of the window.
    weight : quantity
        Received if all cells of a window spike, in the unit of the port.

    Raises
    ------
    NetworkError
        If shapes do not fit together; when the projection is added, if a population has another
        size than its grid.

    Attributes
    ----------
    target_shape : (channels, height, width)
        Grid of the target.
    target_size : int
        Neurons of the target.
    """

    shape: Shape
    target_shape: Shape
    target_size: int
    weights: Any
    stride: tuple[int, int]
    padding: tuple[int, int]
    _window: _Window = field(repr=False)

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        shape: tuple[int, ...],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        weight: Quantity = 1.0,
    ) -> None:
        cells = _read_pair(size, "average_pooling, size", least=1)
        step = size if stride is None else stride
        window = _Window(
            source=_read_shape(shape, "average_pooling"),
            size=cells,
            stride=_read_pair(step, "average_pooling, stride", least=1),
            padding=_read_pair(padding, "average_pooling, padding", least=0),
            noun="average_pooling",
        )
        if any(2 * p > n for p, n in zip(window.padding, cells, strict=True)):
            raise NetworkError(
                f"average_pooling: found padding {window.padding} for a window {cells}, expected "
                "at most half of it. Use less padding or a larger window."
            )
        target = (window.source[0], *window.positions)
        fields = {
            "shape": window.source,
            "target_shape": target,
            "target_size": math.prod(target),
            "weights": _divide(weight, math.prod(cells)),
            "stride": window.stride,
            "padding": window.padding,
            "_window": window,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns over which the mean is taken."""
        return self._window.size

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: one for each cell of the source that a window covers.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If a population has another size than its grid.
        """
        self._window.require_sizes(self.target_shape, n_source, n_target)
        rows, columns = (self._window.overlaps(axis)[0].size for axis in (0, 1))
        return EdgeCount(self.shape[0] * rows * columns)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return the edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If a view has another size than its grid.
        """
        self.count(sources.size, targets.size, recurrent=recurrent)
        channels, height, width = self.shape
        _, rows, columns = self.target_shape
        y, y_target, _ = (a[:, None] for a in self._window.overlaps(0))
        x, x_target, _ = self._window.overlaps(1)
        c = np.arange(channels)[:, None, None]
        source = (c * height + y) * width + x
        target = (c * rows + y_target) * columns + x_target
        # All edges have one weight, so their positions in a kernel are of no interest.
        no_kernel = np.zeros(1, int)
        source, target, _ = _sort(source, target, no_kernel, below=self.target_size)
        return _pack(source, target, sources.size, targets.size)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        window = "x".join(map(str, self._window.size))
        return f"average pooling {window} of {'x'.join(map(str, self.shape))}"


def _sort(
    source: IntArray,
    target: IntArray,
    kernel: IntArray,
    *,
    below: int,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return arrays of one shape as edges in order of source, then target."""
    shape = np.broadcast_shapes(source.shape, target.shape, kernel.shape)
    # One number for both ends sorts faster than two keys; it exceeds 32 bits for large grids.
    pairs = (source * np.int64(below) + target).ravel()
    order = np.argsort(pairs)
    pairs = pairs[order]
    position = np.broadcast_to(kernel, shape).ravel()[order]
    return pairs // below, pairs % below, position


def _pack(
    source: IntArray,
    target: IntArray,
    n_source: int,
    n_target: int,
) -> Edges:
    """Return sorted edges."""
    pointer = np.searchsorted(source, np.arange(n_source + 1))
    return Edges(pointer, target.astype(index_type(n_target)), trusted=True)


# ---- arguments


def _read_kernel(kernel: object) -> tuple[Any, tuple[int, int, int, int]]:
    """Return the weights of a kernel as a quantity of one dimension, and its shape.

    Raises
    ------
    NetworkError
        If it is no quantity of two or four dimensions, none of them empty.
    """
    where = "convolution, kernel"
    # The port and so the unit are not known yet: the kernel's own unit serves to find its shape.
    numbers = to_engine(
        kernel if _has_units(kernel) else as_array(kernel, where=where),
        find_unit(kernel) or PLAIN,
        where=where,
        error=NetworkError,
    )
    dimensions = np.shape(numbers)
    if len(dimensions) == 2:
        dimensions = (1, 1, *dimensions)
    if len(dimensions) != 4 or 0 in dimensions:
        raise NetworkError(
            f"{where}: found the shape {np.shape(numbers)}, expected (target channels, source "
            "channels, rows, columns), or (rows, columns) for one channel at both ends. Reshape it."
        )
    # Quantities keep their units, which the projection compares with that of its port.
    values = list(_flatten(kernel)) if _has_units(kernel) else np.ravel(numbers)
    outputs, channels, rows, columns = (int(n) for n in dimensions)
    return values, (outputs, channels, rows, columns)


def _has_units(kernel: object) -> bool:
    return is_pint(kernel) or find_unit(kernel) is not None


def _flatten(kernel: Any) -> Iterator[Any]:
    """Yield the quantities of a kernel, the last dimension fastest."""
    # A quantity of pint is asked for its numbers: its units have no dimensions.
    if np.ndim(getattr(kernel, "magnitude", kernel)) == 0:
        yield kernel
        return
    for part in kernel:
        yield from _flatten(part)


def _read_shape(shape: object, noun: str) -> Shape:
    """Return channels, height and width."""
    if not isinstance(shape, list | tuple) or len(shape) not in (2, 3):
        raise NetworkError(
            f"{noun}, shape: found {describe(shape)}, expected (channels, height, width), or "
            "(height, width) for one channel. Give the grid of the source."
        )
    numbers = [read_whole_number(n, where=f"{noun}, shape") for n in shape]
    channels, height, width = [1, *numbers][-3:]
    return channels, height, width


def _read_pair(value: object, where: str, *, least: int) -> tuple[int, int]:
    """Return a number for rows and one for columns."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2:
        raise NetworkError(
            f"{where}: found {describe(value)}, expected a whole number, or two: (rows, columns). "
            "Correct it."
        )
    rows, columns = (read_whole_number(n, where=where, least=least) for n in pair)
    return rows, columns


def _divide(weight: Quantity, cells: int) -> Quantity:
    """Return the part of a weight that one of so many cells contributes."""
    where = "average_pooling, weight"
    declared = find_unit(weight)
    number = to_engine(weight, declared or PLAIN, where=where, error=NetworkError)
    if np.ndim(number):
        raise NetworkError(f"{where}: found {describe(weight)}, expected one number. Correct it.")
    if declared is None:
        return number / cells
    # Back in the user's unit, so that the projection can compare it with that of its port.
    in_own_unit = number / declared.size
    return f"{float(in_own_unit / cells)!r} {declared.text}"
