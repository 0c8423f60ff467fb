"""neurosim: spiking networks described once, in equations with units, and run on CPUs, GPUs and neuromorphic hardware."""

from . import measure, plot
from .backend import Report, Row
from .comparison import compare
from .connect import (
    all_to_all,
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
    one_to_one,
)
from .errors import LoweringError, ModelError, NetworkError, NeurosimError, SimulationError
from .given import from_arrays, from_sparse
from .launch import check, export, map, prepare, simulate
from .model import Cell, Parameter, Port, Refractory, Rule
from .network import Network
from .population import Population, Projection, View
from .recording import Recording
from .run import Run
from .samples import Spikes, Trace
from .values import Shared, Table, exponential, integers, lognormal, normal, shared, table, uniform

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "LoweringError",
    "ModelError",
    "Network",
    "NetworkError",
    "NeurosimError",
    "Parameter",
    "Population",
    "Port",
    "Projection",
    "Recording",
    "Refractory",
    "Report",
    "Row",
    "Rule",
    "Run",
    "Shared",
    "SimulationError",
    "Spikes",
    "Table",
    "Trace",
    "View",
    "all_to_all",
    "check",
    "compare",
    "exponential",
    "export",
    "fixed_indegree",
    "fixed_outdegree",
    "fixed_probability",
    "fixed_total_number",
    "from_arrays",
    "from_sparse",
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
]
