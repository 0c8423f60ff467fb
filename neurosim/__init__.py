"""neurosim: spiking networks described once, in equations with units, and run on any backend."""

from . import datasets, plot
from .analysis import measure
from .analysis.comparison import compare
from .backend.report import Place, Report, Row
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
from .model.declarations import Parameter, Port, Refractory
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

# `map` hides Python's own in this file, which does not call it: users write `neurosim.map`.
from .run.launch import check, export, map, prepare, simulate
from .run.run import Run
from .units import Quantity, Time

__version__ = "0.1.0"

__all__ = [
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
    "table",
    "uniform",
    "where",
]


# Python would also list the packages that the imports above load, and notebooks would offer them.
def __dir__() -> list[str]:
    """Return the public names alone: packages that they load are not part of the face."""
    return [*__all__, "__version__"]
