"""Graphs of NIR as plain data: nodes by name, with arrays, and edges between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# Types of nodes that are read and written, and the arrays that each must have.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Linear": ("weight",),
    "Affine": ("weight", "bias"),
    "Conv2d": ("input_shape", "weight", "stride", "padding", "dilation", "groups", "bias"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "Scale": ("scale",),
    "Delay": ("delay",),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "IF": ("r", "v_threshold"),
    "LI": ("tau", "r", "v_leak"),
    "I": ("r",),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"),
}
# Arrays that a file may lack: readers have defaults for them, or do without.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "LIF": ("v_reset",),
    "IF": ("v_reset",),
    "CubaLIF": ("v_reset", "w_in"),
    "CubaLI": ("w_in",),
    "Flatten": ("input_type",),
}
NEURONS = ("LIF", "IF", "LI", "I", "CubaLIF", "CubaLI")


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its type, and its arrays by NIR's names; times in s."""

    type: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, and edges from one to another."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]

    def after(self, name: str) -> list[str]:
        """Return the nodes that a node feeds."""
        return [target for source, target in self.edges if source == name]

    def before(self, name: str) -> list[str]:
        """Return the nodes that feed a node."""
        return [source for source, target in self.edges if target == name]
