"""Pictures of recordings; each takes axes to draw into, or makes its own, and returns what it drew."""

from neurosim.plot.activity import isi_histogram, raster, rates, traces
from neurosim.plot.comparison import comparison
from neurosim.plot.page import summary
from neurosim.plot.wiring import connectivity, weight_histogram, weight_matrix

__all__ = [
    "comparison",
    "connectivity",
    "isi_histogram",
    "raster",
    "rates",
    "summary",
    "traces",
    "weight_histogram",
    "weight_matrix",
]
