"""neurosim: spiking networks described once, in equations with units, and run on any backend."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import datasets, plot
    from .analysis import measure
    from .analysis.comparison import compare
    from .backend.report import Report
    from .backend.report_rows import Place, Row
    from .draws.streams import Stream
    from .draws.values import (
        Shared,
        Table,
        Weights,
        binomial,
        exponential,
        gamma,
        integers,
        lognormal,
        normal,
        shared,
        table,
        uniform,
    )
    from .errors import (
        DataError,
        LoweringError,
        ModelError,
        NetworkError,
        NeurosimError,
        SignWarning,
        SimulationError,
    )
    from .model.cell import Cell
    from .model.declarations import Adaptive, Parameter, Port, Refractory
    from .model.rule import Rule
    from .network.edges import Connector, EdgeCount, Edges
    from .network.network import Network
    from .network.populations import Population, View
    from .network.projections import Projection
    from .network.wiring.conditions import where
    from .network.wiring.connectors import (
        all_to_all,
        fixed_indegree,
        fixed_outdegree,
        fixed_probability,
        fixed_total_number,
        one_to_one,
    )
    from .network.wiring.edge_lists import from_arrays, from_sparse
    from .network.wiring.grids import average_pooling, convolution
    from .network.wiring.pairs import PairConnector, Pairs
    from .recording.edge_table import EdgeTable
    from .recording.recording import Recording
    from .recording.samples import Spikes, Trace
    from .run.batch import Batch
    from .run.launch import (
        check,
        export,
        from_nir,
        map,
        prepare,
        simulate,
    )
    from .run.run import Run
    from .sweeps.sweep import sweep
    from .sweeps.table import SweepTable
    from .units import Quantity, Time

__version__ = "0.1.0"

__all__ = [
    "Adaptive",
    "Batch",
    "Cell",
    "Connector",
    "DataError",
    "EdgeCount",
    "EdgeTable",
    "Edges",
    "LoweringError",
    "ModelError",
    "Network",
    "NetworkError",
    "NeurosimError",
    "PairConnector",
    "Pairs",
    "Parameter",
    "Place",
    "Population",
    "Port",
    "Projection",
    "Quantity",
    "Recording",
    "Refractory",
    "Report",
    "Row",
    "Rule",
    "Run",
    "Shared",
    "SignWarning",
    "SimulationError",
    "Spikes",
    "Stream",
    "SweepTable",
    "Table",
    "Time",
    "Trace",
    "View",
    "Weights",
    "all_to_all",
    "average_pooling",
    "binomial",
    "check",
    "compare",
    "convolution",
    "datasets",
    "exponential",
    "export",
    "fixed_indegree",
    "fixed_outdegree",
    "fixed_probability",
    "fixed_total_number",
    "from_arrays",
    "from_nir",
    "from_sparse",
    "gamma",
    "integers",
    "lognormal",
    "map",
    "measure",
    "normal",
    "one_to_one",
    "plot",
    "prepare",
    "shared",
    "simulate",
    "sweep",
    "table",
    "uniform",
    "where",
]

# The file of each public name, which is loaded when the name is first read: a script that draws no
# picture loads no code for pictures, and `import neurosim` takes no time.
_HOMES = {
    "analysis.comparison": ("compare",),
    "backend.report": ("Report",),
    "backend.report_rows": ("Place", "Row"),
    "draws.streams": ("Stream",),
    "draws.values": (
        "Shared",
        "Table",
        "Weights",
        "binomial",
        "exponential",
        "gamma",
        "integers",
        "lognormal",
        "normal",
        "shared",
        "table",
        "uniform",
    ),
    "errors": (
        "DataError",
        "LoweringError",
        "ModelError",
        "NetworkError",
        "NeurosimError",
        "SignWarning",
        "SimulationError",
    ),
    "model.cell": ("Cell",),
    "model.declarations": ("Adaptive", "Parameter", "Port", "Refractory"),
    "model.rule": ("Rule",),
    "network.edges": ("Connector", "EdgeCount", "Edges"),
    "network.network": ("Network",),
    "network.populations": ("Population", "View"),
    "network.projections": ("Projection",),
    "network.wiring.conditions": ("where",),
    "network.wiring.connectors": (
        "all_to_all",
        "fixed_indegree",
        "fixed_outdegree",
        "fixed_probability",
        "fixed_total_number",
        "one_to_one",
    ),
    "network.wiring.edge_lists": ("from_arrays", "from_sparse"),
    "network.wiring.grids": ("average_pooling", "convolution"),
    "network.wiring.pairs": ("PairConnector", "Pairs"),
    "recording.edge_table": ("EdgeTable",),
    "recording.recording": ("Recording",),
    "recording.samples": ("Spikes", "Trace"),
    "run.batch": ("Batch",),
    "run.launch": ("check", "export", "from_nir", "map", "prepare", "simulate"),
    "run.run": ("Run",),
    "sweeps.sweep": ("sweep",),
    "sweeps.table": ("SweepTable",),
    "units": ("Quantity", "Time"),
}
_FILES = {name: file for file, names in _HOMES.items() for name in names}
_MODULES = {"datasets": "datasets", "measure": "analysis.measure", "plot": "plot"}


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name in _MODULES:
        value = import_module(f".{_MODULES[name]}", __name__)
    elif name in _FILES:
        value = getattr(import_module(f".{_FILES[name]}", __name__), name)
    else:
        # Python looks among the names of `obj` for one that was meant.
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names alone: packages that they load are not part of the face."""
    return [*__all__, "__version__"]
