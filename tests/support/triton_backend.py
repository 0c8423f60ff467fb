"""Triton's interpreter as a backend, for tests of the kernels without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
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

    def lower(self, network: Any, **options: Any) -> Lowered:
        report = Report(self.name, network.name, tuple(explicit_step_rows(network)))
        build = partial(TritonEngine, device=torch.device("cpu"), **options)
        return Lowered(report, Stepped(build))


backend = InterpretedTriton()
