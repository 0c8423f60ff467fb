"""The twenty firing patterns of Izhikevich (2004), as data.

Source: Izhikevich 2004, "Which model to use for cortical spiking neurons?", IEEE Transactions on
Neural Networks 15:1063, Fig. 1.

Parameters, inputs, time steps and the scheme (one Euler step of v, then one of u with the new v)
are those of the program figure1.m that the author published with the article. Pictures of all:
``python -m neurosim.models.firing_patterns patterns.png``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurosim.draws.values import table
from neurosim.errors import NetworkError, describe_unknown
from neurosim.model.cell import Cell
from neurosim.network.network import Network
from neurosim.run.launch import simulate

from .cells import IZHIKEVICH, QUADRATIC, parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTEGRATOR = "0.04 * v**2 / (mV * ms) + 4.1 * v / ms + 108 * mV / ms"  # of patterns G and L
RECOVERY = "a * (b * v - u)"
PEAK = 30.0  # mV, at which a spike is cut


@dataclass(frozen=True)
class Window:
    """An input at times start < t < stop: ``value`` plus ``slope`` times the time since start.

    Parameters
    ----------
    start, stop : float, ms
    value : float, mV/ms
    slope : float, mV/ms**2
    """

    start: float
    stop: float
    value: float
    slope: float = 0.0


@dataclass(frozen=True)
class Pattern:
    """One panel of the figure.

    Attributes
    ----------
    a, b, c, d, v : 1/ms, 1/ms, mV, mV/ms, mV
        ``v`` is the initial voltage.
    windows : tuple of Window
        The input besides ``base``.
    dt, duration : ms
    base : mV/ms
    u : mV/ms
        Initial recovery; b * v unless given.
    voltage, recovery : str
        The slope of v without u and input, and the slope of u.
    magnified : ms
        From here the article shows v once more, 20 times larger.
    """

    letter: str
    name: str
    a: float
    b: float
    c: float
    d: float
    v: float
    windows: tuple[Window, ...]
    duration: float
    dt: float = 0.25
    base: float = 0.0
    u: float | None = None
    voltage: str = QUADRATIC
    recovery: str = RECOVERY
    magnified: float | None = None

    def current(self) -> np.ndarray:
        """Return the (T,) input in mV/ms of each step, which is that at its beginning."""
        # Rounded, since windows exclude their ends: 65 * 0.2 is a little more than 13.
        time = np.round(np.arange(round(self.duration / self.dt)) * self.dt, 9)
        added = [
            (w.value + w.slope * (time - w.start)) * ((w.start < time) & (time < w.stop))
            for w in self.windows
        ]
        return self.base + np.sum(added, axis=0)


@dataclass(frozen=True, eq=False)
class Response:
    """The response of a neuron to a pattern.

    Attributes
    ----------
    time : (T,) ms
        Beginnings of steps, as figure1.m counts.
    v : (T,) mV
        At the end of each step; the peak where it spiked.
    u, current : (T,) mV/ms
    spikes : (S,) ms
    """

    time: np.ndarray
    v: np.ndarray
    u: np.ndarray
    current: np.ndarray
    spikes: np.ndarray


def step(start: float, value: float) -> tuple[Window, ...]:
    """Return an input that begins at a time (ms) and stays at a value (mV/ms)."""
    return (Window(start, math.inf, value),)


def pulses(value: float, width: float, *starts: float) -> tuple[Window, ...]:
    """Return equal inputs for a short time each.

    Parameters
    ----------
    value : float, mV/ms
    width : float, ms
    *starts : float, ms
    """
    return tuple(Window(start, start + width, value) for start in starts)


# figure1.m includes 50 and 250 ms, and windows exclude their ends.
INHIBITION = (Window(49.5, 250.5, -5),)
PATTERNS: tuple[Pattern, ...] = (
    Pattern("A", "tonic spiking", 0.02, 0.2, -65, 6, -70, step(10, 14), 100),
    Pattern("B", "phasic spiking", 0.02, 0.25, -65, 6, -64, step(20, 0.5), 200),
    Pattern("C", "tonic bursting", 0.02, 0.2, -50, 2, -70, step(22, 15), 220),
    Pattern("D", "phasic bursting", 0.02, 0.25, -55, 0.05, -64, step(20, 0.6), 200, dt=0.2),
    Pattern("E", "mixed mode", 0.02, 0.2, -55, 4, -70, step(16, 10), 160),
    Pattern("F", "spike frequency adaptation", 0.01, 0.2, -65, 8, -70, step(8.5, 30), 85),
    Pattern(
        "G",
        "class 1 excitability",
        0.02,
        -0.1,
        -55,
        6,
        -60,
        (Window(30, math.inf, 0, 0.075),),
        300,
        voltage=INTEGRATOR,
    ),
    Pattern(
        "H",
        "class 2 excitability",
        0.2,
        0.26,
        -65,
        0,
        -64,
        (Window(30, math.inf, 0, 0.015),),
        300,
        base=-0.5,
    ),
    Pattern("I", "spike latency", 0.02, 0.2, -65, 6, -70, pulses(7.04, 3, 10), 100, dt=0.2),
    Pattern(
        "J",
        "subthreshold oscillations",
        0.05,
        0.26,
        -60,
        0,
        -62,
        pulses(2, 5, 20),
        200,
        magnified=55,
    ),
    Pattern("K", "resonator", 0.1, 0.26, -60, -1, -62, pulses(0.65, 4, 40, 60, 280, 320), 400),
    Pattern(
        "L",
        "integrator",
        0.02,
        -0.1,
        -55,
        6,
        -60,
        pulses(9, 2, 100 / 11, 100 / 11 + 5, 70, 80),
        100,
        voltage=INTEGRATOR,
    ),
    Pattern("M", "rebound spike", 0.03, 0.25, -60, 4, -64, pulses(-15, 5, 20), 200, dt=0.2),
    Pattern("N", "rebound burst", 0.03, 0.25, -52, 0, -64, pulses(-15, 5, 20), 200, dt=0.2),
    Pattern(
        "O",
        "threshold variability",
        0.03,
        0.25,
        -60,
        4,
        -64,
        pulses(1, 5, 10, 80) + pulses(-6, 5, 70),
        100,
    ),
    Pattern("P", "bistability", 0.1, 0.26, -60, 0, -61, pulses(1, 5, 37.5, 216), 300, base=0.24),
    Pattern(
        "Q", "depolarizing after-potential", 1, 0.2, -60, -21, -70, pulses(20, 2, 9), 50, dt=0.1
    ),
    Pattern(
        "R",
        "accommodation",
        0.02,
        1,
        -55,
        4,
        -65,
        (Window(0, 200, 0, 1 / 25), Window(300, 312.5, 0, 4 / 12.5)),
        400,
        dt=0.5,
        u=-16,
        recovery="a * b * (v + 65 * mV)",
    ),
    Pattern(
        "S",
        "inhibition-induced spiking",
        -0.02,
        -1,
        -60,
        8,
        -63.8,
        INHIBITION,
        350,
        dt=0.5,
        base=80,
    ),
    Pattern(
        "T",
        "inhibition-induced bursting",
        -0.026,
        -1,
        -45,
        -2,
        -63.8,
        INHIBITION,
        350,
        dt=0.5,
        base=80,
    ),
)


def cell(voltage: str = QUADRATIC, recovery: str = RECOVERY) -> Cell:
    """Return the Izhikevich neuron as figure1.m steps it.

    v is cut neither before u is updated nor at the peak.
    """
    slope = f"{voltage} - u + current"
    return Cell(
        f"""dv/dt = {slope} : mV
            du/dt = {recovery} : mV/ms""",
        parameters=parameters(IZHIKEVICH, a=0.02, b=0.2, c=-65.0, d=6.0, current=0.0),
        step=f"v = v + dt * ({slope}); u = u + dt * {recovery}",
        spike=f"v > {PEAK} * mV",
        after_spike="v = c; u = u + d",
        name="izhikevich",
    )


def network(pattern: Pattern) -> Network:
    """Return a network of one neuron with the input of a pattern, its spikes, v and u recorded."""
    net = Network(f"pattern-{pattern.letter}", dt=pattern.dt)
    u = pattern.b * pattern.v if pattern.u is None else pattern.u
    neuron = net.population(
        "neuron",
        1,
        cell(pattern.voltage, pattern.recovery),
        a=pattern.a,
        b=pattern.b,
        c=pattern.c,
        d=pattern.d,
        v=pattern.v,
        u=u,
        current=table(pattern.current(), every=pattern.dt),
    )
    net.record(neuron, "spikes", "v", "u")
    return net


def pattern_network(pattern: str = "tonic spiking") -> Network:
    """Return the neuron of a firing pattern of Izhikevich (2004) with its input.

    Parameters
    ----------
    pattern : str
        Name or letter of one of `PATTERNS`.

    Raises
    ------
    NetworkError
        If there is no such pattern.
    """
    for known in PATTERNS:
        if pattern in (known.name, known.letter):
            return network(known)
    valid = [known.name for known in PATTERNS]
    raise NetworkError(describe_unknown("pattern", pattern, valid, owner="firing_patterns"))


def respond(pattern: Pattern, *, backend: str = "cpu") -> Response:
    """Run a pattern and return the response of its neuron."""
    recording = simulate(network(pattern), pattern.duration, backend=backend, progress=False)[
        "neuron"
    ]
    spikes = recording.spikes
    v = recording.trace("v").values[:, 0].copy()
    # As in the figure: at the end of a step that spikes, v is at the reset already.
    v[spikes.step] = PEAK
    return Response(
        np.arange(len(v)) * pattern.dt,
        v,
        recording.trace("u").values[:, 0],
        pattern.current(),
        # The program counts a spike at the beginning of its step.
        spikes.times("start"),
    )


def figure(responses: Sequence[Response]) -> Figure:
    """Draw the responses to `PATTERNS`, a panel each.

    A panel has the voltage, below it the input, and a bar of 20 ms.
    """
    from matplotlib import pyplot

    drawing, panels = pyplot.subplots(5, 4, figsize=(12, 11))
    drawing.set_layout_engine("constrained", w_pad=0.15, h_pad=0.1)
    for panel, pattern, response in zip(panels.flat, PATTERNS, responses, strict=True):
        _panel(panel, pattern, response)
    return drawing


def _panel(panel: Axes, pattern: Pattern, response: Response) -> None:
    # Imported late: whoever runs a pattern need not draw.
    from neurosim.plot.style import COLOURS, GREY

    # Inputs differ widely between patterns: each is scaled to the height of its strip.
    low = response.current.min()
    high = response.current.max()
    panel.plot(response.time, response.v, color=COLOURS[0], linewidth=0.9)
    panel.plot(
        response.time,
        -106 + 14 * (response.current - low) / (high - low),
        color=COLOURS[1],
        linewidth=0.9,
    )
    if pattern.magnified is not None:
        late = response.time >= pattern.magnified
        panel.plot(
            response.time[late],
            -10 + 20 * (response.v[late] - response.v[late].mean()),
            color=GREY,
            linewidth=0.9,
        )
        panel.text(pattern.duration, 10, "20 ×", ha="right", va="bottom", fontsize=7, color=GREY)
    panel.plot(
        [pattern.duration - 20, pattern.duration],
        [-116, -116],
        color="black",
        linewidth=2,
        solid_capstyle="butt",
    )
    panel.text(pattern.duration - 10, -119, "20 ms", ha="center", va="top", fontsize=7, color=GREY)
    panel.set_title(f"({pattern.letter}) {pattern.name}", fontsize=10, loc="left")
    panel.set(xlim=(0, pattern.duration), ylim=(-130, 35))
    panel.set_axis_off()


def main() -> None:
    """Draw the figure into the file named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m neurosim.models.firing_patterns PICTURE.png")
    figure([respond(pattern) for pattern in PATTERNS]).savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
