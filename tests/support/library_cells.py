"""The cells of the library, and how strongly each is driven, for tests of printed cells."""

import neurosim as ns
from neurosim.models import cells

# Each cell, and how strongly its ports are driven so that it spikes.
LIBRARY = {
    "lif": (cells.lif(), 2.0),
    "lif_delta": (cells.lif_delta(), 5.0),
    "lif_exponential": (cells.lif_exponential(), 2.0),
    "lif_conductance": (cells.lif_conductance(), 0.1),
    "lif_alpha": (cells.lif_alpha(), 3.0),
    "lif_conductance_alpha": (cells.lif_conductance_alpha(), 0.1),
    "adex_exponential": (cells.adex_exponential(), 2.0),
    "adex_conductance": (cells.adex_conductance(), 0.1),
    "izhikevich_2007": (cells.izhikevich_2007(), 2.0),
    "hodgkin_huxley": (cells.hodgkin_huxley(), 0.1),
    "leaky_readout": (cells.leaky_readout(), 1.0),
    "izhikevich-delta": (cells.izhikevich(synapse="delta"), 8.0),
    "izhikevich-exponential": (cells.izhikevich(synapse="exponential"), 8.0),
}
NOISY = ns.Cell(
    "dv/dt = -v / tau + sigma * xi : 1; count : 1",
    parameters={"tau": "5 ms", "sigma": "0.4 / ms**0.5", "bias": 1.0, "truth": 0.1},
    spike="v > bias - 0.2 * uniform()",
    after_spike="v = truth * normal(); count += 1",
    receives={"x": ns.Port("1", into="v")},
    refractory=ns.Refractory("1 ms", "v"),
)
ODD = ns.Cell(
    "a : 1; b : 1; c : 1",
    step="a = b; b = c + x; c = where(not a > b or t > 2 * ms, i / N, 0.25)",
    spike="crossing(c > 0.3)",
    after_spike="b = 0.125",
    receives={"x": ns.Port("1")},
)
CELLS = LIBRARY | {"noisy": (NOISY, 0.5), "odd": (ODD, 1.0)}
