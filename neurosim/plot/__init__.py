"""Pictures of recordings: each function draws into axes of yours or new ones and returns marks."""

from .activity import isi_histogram, raster, rates, traces
from .comparison import comparison
from .page import summary
from .space import positions
from .wiring import connectivity, weight_histogram, weight_matrix

__all__ = [
    "comparison",
    "connectivity",
    "isi_histogram",
    "positions",
    "raster",
    "rates",
    "summary",
    "traces",
    "weight_histogram",
    "weight_matrix",
]
