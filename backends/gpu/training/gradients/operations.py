"""Linear and convolutional operations with three slots: forward, backward, presynaptic factor.

An operation computes ``y = W x``. Its gradients are ``dL/dx = B^T dL/dy`` and ``dL/dW = dL/dy
f(x)^T``. Backpropagation is B = W and f(x) = x. Another B is feedback alignment; f is a trace in
online learning, or a projection that protects earlier tasks. Neither changes y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn import grad as gradients_of

Feedback = Literal["same", "none"] | Tensor | Callable[[Tensor], Tensor]


@dataclass
class Slots:
    """What the backward pass of one operation reads in place of weight and input.

    Attributes
    ----------
    backward : "same", "none", a tensor shaped like the weight, or a function of the weight
        B. ``"none"`` sends no error to the layer below; `sign_concordant` is a function.
    factor : function, optional
        From presynaptic rows (R, N) to rows, as the weight gradient reads them; of a convolution,
        rows are unfolded patches.
    """

    backward: Feedback = "same"
    factor: Callable[[Tensor], Tensor] | None = None
    # The rows of the last minibatch, stored while something listens.
    listening: bool = False
    rows: list[Tensor] = field(default_factory=list)
    # From the input of all steps to rows; None: a row for each sample and step.
    summary: Callable[[Tensor], Tensor] | None = None

    @property
    def plain(self) -> bool:
        """Whether the operation is an ordinary one."""
        return isinstance(self.backward, str) and self.backward == "same" and self.factor is None

    def weight_of(self, weight: Tensor) -> Tensor | None:
        """Return B for a weight, None if no error is sent."""
        if isinstance(self.backward, Tensor):
            return self.backward.to(weight)
        if isinstance(self.backward, str):
            return weight if self.backward == "same" else None
        return self.backward(weight)

    def hear(self, presynaptic: Tensor) -> None:
        """Store what multiplies the error, if something listens."""
        if self.listening:
            self.rows.append(self.summed_up(presynaptic).flatten(0, -2))

    def summed_up(self, presynaptic: Tensor) -> Tensor:
        """Return what hooks read of the input of all steps: its summary, if there is one."""
        # Detached: a hook reads numbers, and must not keep the graph of a batch alive.
        series = presynaptic.detach()
        return series if self.summary is None else self.summary(series)

    def rows_of(self, rows: Tensor) -> Tensor:
        """Return presynaptic rows as the weight gradient reads them."""
        return rows if self.factor is None else self.factor(rows)


def sign_concordant(weight: Tensor) -> Tensor:
    """Return the signs of a weight, divided by the root of the number of its inputs.

    Source: Liao, Leibo and Poggio 2016, AAAI, "uniform sign-concordant feedback".

    Parameters
    ----------
    weight : (N_out, N_in) or (C_out, C_in, height, width)
    """
    return torch.sign(weight) / weight[0].numel() ** 0.5


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        trace: Tensor,
        slots: Slots,
    ) -> Tensor:
        ctx.save_for_backward(weight, trace)
        ctx.slots = slots
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, trace = ctx.saved_tensors
        errors = gradients[0]
        gradient_x = gradient_weight = None
        if ctx.needs_input_grad[0]:
            gradient_x = send_back(errors, weight, ctx.slots)
        if ctx.needs_input_grad[1]:
            gradient_weight = differentiate_weight(errors, trace, ctx.slots)
        return gradient_x, gradient_weight, None, None


def send_back(errors: Tensor, weight: Tensor, slots: Slots) -> Tensor | None:
    """Return the error of the input of `linear`, None if none is sent.

    Parameters
    ----------
    errors : (..., N_out)
    weight : (N_out, N_in)
    slots : Slots
    """
    back = slots.weight_of(weight)
    return None if back is None else errors @ back


def differentiate_weight(errors: Tensor, presynaptic: Tensor, slots: Slots) -> Tensor:
    """Return the gradient of the weight of `linear`.

    Parameters
    ----------
    errors : (..., N_out)
    presynaptic : (..., N_in)
    slots : Slots
    """
    # Steps and samples are rows alike: one product sums over both.
    return errors.flatten(0, -2).T @ slots.rows_of(presynaptic.flatten(0, -2))


def linear(
    x: Tensor,
    weight: Tensor,
    slots: Slots,
    *,
    trace: Tensor | None = None,
) -> Tensor:
    """Return ``x W^T``.

    Parameters
    ----------
    x : (..., N_in)
    weight : (N_out, N_in)
    slots : Slots
    trace : (..., N_in), optional
        Multiplies the error in place of x.

    Returns
    -------
    (..., N_out)
    """
    presynaptic = (x if trace is None else trace).detach()
    slots.hear(presynaptic)
    if slots.plain and trace is None:
        return functional.linear(x, weight)
    return _Linear.apply(x, weight, presynaptic, slots)  # type: ignore[return-value]


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        trace: Tensor,
        edges: Any,
        slots: Slots,
    ) -> Tensor:
        ctx.save_for_backward(weight, trace)
        ctx.edges = edges
        ctx.slots = slots
        rows = x.flatten(0, -2)
        return edges.times(rows, weight).unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, trace = ctx.saved_tensors
        errors = gradients[0]
        gradient_x = gradient_weight = None
        if ctx.needs_input_grad[0]:
            gradient_x = send_back_sparse(errors, weight, ctx.edges, ctx.slots)
        if ctx.needs_input_grad[1]:
            gradient_weight = differentiate_sparse(errors, trace, ctx.edges, ctx.slots)
        return gradient_x, gradient_weight, None, None, None


# Numbers that one gather may make: more would not fit into the caches, or the memory.
_GATHERED = 1 << 22


@dataclass(frozen=True, eq=False)
class EdgeLists:
    """Source and target of each edge.

    Attributes
    ----------
    sources, targets : (E,) int64
    size : int
        Number of targets.
    sources_size : int
    """

    sources: Tensor
    targets: Tensor
    size: int
    sources_size: int

    @property
    def turned(self) -> EdgeLists:
        """The same edges from target to source."""
        return EdgeLists(self.targets, self.sources, self.sources_size, self.size)

    def _blocks(self, rows: int) -> list[slice]:
        # At least one edge per block, however many rows there are.
        width = max(1, _GATHERED // max(rows, 1))
        count = self.sources.numel()
        return [slice(first, first + width) for first in range(0, count, width)]

    def times(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Return sums over edges, (R, size), for rows (R, N)."""
        result = rows.new_zeros(rows.shape[0], self.size)
        for block in self._blocks(rows.shape[0]):
            terms = rows[:, self.sources[block]] * weight[block]
            result.index_add_(1, self.targets[block], terms)
        return result

    def products(self, rows: Tensor, errors: Tensor) -> Tensor:
        """Return the sums over rows of source times target, (E,)."""
        parts = []
        for block in self._blocks(rows.shape[0]):
            of_sources = rows[:, self.sources[block]]
            of_targets = errors[:, self.targets[block]]
            parts.append((of_sources * of_targets).sum(0))
        return torch.cat(parts) if parts else rows.new_zeros(0)


def send_back_sparse(
    errors: Tensor,
    weight: Tensor,
    edges: EdgeLists,
    slots: Slots,
) -> Tensor | None:
    """Return the error of the input of `sparse`, None if none is sent.

    Parameters
    ----------
    errors : (..., N_out)
    weight : (E,)
    edges : EdgeLists
    slots : Slots
    """
    back = slots.weight_of(weight)
    if back is None:
        return None
    return edges.turned.times(errors.flatten(0, -2), back).unflatten(0, errors.shape[:-1])


def differentiate_sparse(
    errors: Tensor,
    presynaptic: Tensor,
    edges: EdgeLists,
    slots: Slots,
) -> Tensor:
    """Return the gradient of the weights of `sparse`, (E,).

    Parameters
    ----------
    errors : (..., N_out)
    presynaptic : (..., N_in)
    edges : EdgeLists
    slots : Slots
    """
    return edges.products(slots.rows_of(presynaptic.flatten(0, -2)), errors.flatten(0, -2))


def sparse(
    x: Tensor,
    weight: Tensor,
    edges: EdgeLists,
    slots: Slots,
    *,
    trace: Tensor | None = None,
) -> Tensor:
    """Return sums over edges.

    Parameters
    ----------
    x : (..., N_in)
    weight : (E,)
    edges : EdgeLists
    slots : Slots
    trace : (..., N_in), optional
        Multiplies the error in place of x.

    Returns
    -------
    (..., N_out)
    """
    presynaptic = (x if trace is None else trace).detach()
    slots.hear(presynaptic)
    return _Sparse.apply(x, weight, presynaptic, edges, slots)  # type: ignore[return-value]


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image: steps and rims in pixels, down and right."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    @property
    def options(self) -> dict[str, Any]:
        """The same as arguments of torch."""
        return {"stride": self.stride, "padding": self.padding}


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        trace: Tensor,
        window: Window,
        slots: Slots,
    ) -> Tensor:
        ctx.save_for_backward(kernel, trace)
        ctx.window = window
        ctx.slots = slots
        return functional.conv2d(x, kernel, **window.options)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        kernel, trace = ctx.saved_tensors
        errors = gradients[0]
        window = ctx.window
        slots = ctx.slots
        gradient_x = gradient_kernel = None
        if ctx.needs_input_grad[0]:
            gradient_x = send_back_images(errors, kernel, slots, window=window, shape=trace.shape)
        if ctx.needs_input_grad[1]:
            gradient_kernel = differentiate_kernel(errors, trace, slots, window=window, like=kernel)
        return gradient_x, gradient_kernel, None, None, None


def send_back_images(
    errors: Tensor,
    kernel: Tensor,
    slots: Slots,
    *,
    window: Window,
    shape: torch.Size,
) -> Tensor | None:
    """Return the error of the images of `convolve`, None if none is sent.

    Parameters
    ----------
    errors : (R, C_out, H_out, W_out)
    kernel : (C_out, C_in, height, width)
    slots : Slots
    window : Window
    shape : (R, C_in, H, W)
    """
    back = slots.weight_of(kernel)
    if back is None:
        return None
    return gradients_of.conv2d_input(shape, back, errors, **window.options)


def differentiate_kernel(
    errors: Tensor,
    images: Tensor,
    slots: Slots,
    *,
    window: Window,
    like: Tensor,
) -> Tensor:
    """Return the gradient of the kernel of `convolve`.

    Parameters
    ----------
    errors : (R, C_out, H_out, W_out)
    images : (R, C_in, H, W)
        Presynaptic.
    slots : Slots
    window : Window
    like : (C_out, C_in, height, width)
        The kernel.
    """
    # Patches are as many images as a kernel has pixels: only a factor needs them.
    if slots.factor is None:
        return gradients_of.conv2d_weight(images, like.shape, errors, **window.options)
    rows = slots.factor(patches(images, like, window))
    return (errors.movedim(1, -1).flatten(0, -2).T @ rows).view(like.shape)


def patches(x: Tensor, kernel: Tensor, window: Window) -> Tensor:
    """Return the inputs of each output position, (R * positions, C_in * height * width).

    Parameters
    ----------
    x : (R, C_in, H, W)
    kernel : (C_out, C_in, height, width)
    window : Window
    """
    columns = functional.unfold(x, kernel.shape[-2:], **window.options)
    return columns.transpose(1, 2).flatten(0, 1)


def convolve(
    x: Tensor,
    kernel: Tensor,
    slots: Slots,
    *,
    window: Window,
    trace: Tensor | None = None,
) -> Tensor:
    """Return the cross-correlation of images with a kernel, as `torch.nn.functional.conv2d`.

    Parameters
    ----------
    x : (R, C_in, H, W)
    kernel : (C_out, C_in, height, width)
    slots : Slots
    window : Window
    trace : (R, C_in, H, W), optional
        Multiplies the error in place of x.

    Returns
    -------
    (R, C_out, H_out, W_out)
    """
    presynaptic = (x if trace is None else trace).detach()
    if slots.plain and trace is None:
        return functional.conv2d(x, kernel, **window.options)
    return _Convolution.apply(x, kernel, presynaptic, window, slots)  # type: ignore[return-value]
