"""Trainers that run a batch step by step and by compiled loops, compared."""

from __future__ import annotations

import warnings

import torch

import neurosim as ns
from neurosim.gpu import Trainer


def trained(net: ns.Network, batch, **options):
    """Return outputs, gradients and the Trainer after one batch."""
    trainer = Trainer(net, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        output = trainer(batch)
    outputs = output if isinstance(output, dict) else {"output": output}
    # Weights that differ from step to step, so that no error of time cancels.
    loss = sum(
        (v * torch.linspace(0.5, 2, v.numel()).view(v.shape)).sum() for v in outputs.values()
    )
    loss.backward()
    gradients = {name: trainer[name].grad for name in trainer.learns}
    return {name: v.detach() for name, v in outputs.items()}, gradients, trainer


def compare(net: ns.Network, batch, *, tolerance: float = 1e-9, **options) -> dict:
    """Compare both ways of computing; return the outputs."""
    expected, expected_gradients, _ = trained(net, batch, **options)
    measured, gradients, trainer = trained(net, batch, compiled=True, **options)
    assert trainer.compile_seconds > 0, "nothing was compiled"
    for name, values in expected.items():
        assert torch.equal(values, measured[name]), name
    for name, gradient in expected_gradients.items():
        assert torch.isfinite(gradient).all(), name
        scale = gradient.abs().max()
        assert torch.allclose(gradients[name], gradient, rtol=tolerance, atol=tolerance * scale), (
            name
        )
    assert all(expected_gradients[name].any() for name in trainer.learns if "." not in name)
    return measured
