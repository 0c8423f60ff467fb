"""Chunks of steps compiled by torch: the spikes and gradients of steps one by one."""

from __future__ import annotations

import pytest
from support.training import layered

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.training.loops.chunks import CompiledSteps  # noqa: E402
from neurosim.gpu import Trainer  # noqa: E402

T = 11


def spikes(samples: int):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(T, samples, 50, generator=generator) < 0.3).float()


def gradients(trainer: Trainer, samples: int = 4):
    """Return output and gradients of a batch."""
    trainer.zero_grad()
    output = trainer(spikes(samples))["output"]
    (output.sum(0) ** 2).sum().backward()
    return output.detach(), [trainer[name].grad.clone() for name in trainer.learns]


def trainer_of(length: int | None) -> Trainer:
    """Return a Trainer whose chunks torch compiles, as on CUDA devices."""
    trainer = Trainer(
        layered(same_step=True),
        inputs="inputs",
        outputs=["output", "hidden.v"],
        train=["first", "second", "hidden.tau", "hidden.threshold"],
    )
    trainer._compiled = None if length is None else CompiledSteps(length)
    return trainer


@pytest.mark.slow
def test_compiled_steps_give_the_spikes_and_gradients_of_steps_one_by_one():
    """Refractory neurons too; 11 steps are five chunks of 2 and a step alone."""
    plain, compiled = trainer_of(None), trainer_of(2)
    assert compiled.compile_seconds == 0
    for samples in (4, 4, 3):
        expected, expected_gradients = gradients(plain, samples)
        output, measured = gradients(compiled, samples)
        assert output.sum() > 50 and torch.equal(output, expected)
        for one, other in zip(measured, expected_gradients, strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-7) and other.any()
    assert compiled.compile_seconds > 0
    programs = compiled._compiled._programs
    assert programs.keys() == {"hidden", "output"}


def test_steps_that_cannot_be_compiled_run_one_by_one_and_say_so(monkeypatch):
    def broken(program, **options):
        def run(*arguments):
            raise RuntimeError("no compiler")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    compiled = trainer_of(2)
    with pytest.warns(
        RuntimeWarning, match="could not be compiled .RuntimeError.; they run one by"
    ):
        output, measured = gradients(compiled)
    expected, expected_gradients = gradients(trainer_of(None))
    assert output.sum() > 50 and torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(measured, expected_gradients, strict=True))


def test_an_error_of_the_network_is_no_failure_of_the_compiler():
    with pytest.raises(ValueError, match="compiled: .*0"):
        Trainer(layered(), inputs="inputs", outputs="output", train=["first"], compiled=0)
