"""Triton's interpreter as a backend, for tests of the kernels without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from neurosim.backend.explicit_step import explicit_step_rows
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.backends.gpu.triton.engine import TritonEngine


class InterpretedTriton:
    """Runs networks by the Triton engine on the CPU device, kernel by kernel interpreted."""

    name = "triton-interpreted"
    summary = "Triton's interpreter"
    held_open = True
    verbs: Mapping[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        return None

    def lower(self, network: Any, *, batch: int | None = None, **options: Any) -> Lowered:
        report = Report(self.name, network.name, tuple(explicit_step_rows(network)))
        build = partial(TritonEngine, device=torch.device("cpu"), count=batch or 1, **options)
        artefact = Stepped(build)
        if batch is not None:
            artefact = replace(artefact, batch=build, samples=batch)
        return Lowered(report, artefact)


backend = InterpretedTriton()
