"""Settings and network of the liquid: inputs, neurons on a grid, one astrocyte, its rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import neurosim as ns
from neurosim.draws.sampling import blocks, index_type, pointer_of
from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError
from neurosim.network.edges import EdgeCount, Edges, IntArray

from .settings import Settings, read_settings

PLASTIC = ("excitation", "inhibition", "input->liquid")  # the projections that learn
TAU_TRACE = 10.0  # ms, of the learning rule
TAU_CALCIUM = 1000.0  # ms
PRESENTATION = 250  # ms for which an episode shows its image


# Probability of an edge at distance 0, by source and target.
CHANCE = {
    ("excitatory", "excitatory"): 0.2,
    ("excitatory", "inhibitory"): 0.1,
    ("inhibitory", "excitatory"): 0.3,
    ("inhibitory", "inhibitory"): 0.05,
}


def neuron(*, driven: bool = False, calcium: bool = False, adaptation: float = 0.0) -> ns.Cell:
    """Leaky integrate-and-fire neuron with the two traces that its edges read.

    ``driven``: not by synapses, but by events, with probability ``p`` in each step. It integrates
    while it is refractory, too. ``recent`` is 1 after a spike and decays as currents do (at the
    start 0, where the program says exp(-20)); ``trace`` is that of the learning rule. ``calcium``
    counts the spikes of about a second. ``adaptation``: by which a spike raises the threshold, mV.
    """
    source = "drive * (uniform() < p)" if driven else "dt * current"
    # What runs is the step below, in the order of the published program.
    states = [
        "v : mV",
        "drecent/dt = -recent / tau_u : 1",
        "dtrace/dt = -trace / tau_trace : 1",
    ]
    step = [f"v = v + {source} - dt * v / tau"]
    after = [
        "v = 0 * mV",
        "recent = 1",
        "trace = trace + mark",
        "spikes = spikes + 1",
    ]
    parameters: dict[str, Any] = {
        "tau": "64 ms",
        "tau_u": "1 ms",
        "tau_trace": f"{TAU_TRACE} ms",
        "threshold": "20 mV",
        "mark": 0.1,
    }
    if driven:
        # One event lifts the potential far above its threshold.
        parameters |= {"drive": "100 mV", "p": 0.0}
    else:
        states.insert(1, "dcurrent/dt = -current / tau_u : mV/ms")
        # After v, which still takes the current of the step before.
        step.append("current = current * exp(-dt / tau_u)")
    step += [
        "recent = recent * exp(-dt / tau_u)",
        "trace = trace * exp(-dt / tau_trace)",
    ]
    if calcium:
        states.append("dcalcium/dt = -calcium / tau_calcium : 1")
        # Euler's method, unlike the traces: so it stands in the published code.
        step.append("calcium = calcium - dt * calcium / tau_calcium")
        after.append("calcium = calcium + 1")
        parameters["tau_calcium"] = f"{TAU_CALCIUM} ms"
    if adaptation:
        states.append("draised/dt = -raised / tau_raised : mV")
        step.append("raised = raised * exp(-dt / tau_raised)")
        after.append("raised = raised + rise")
        parameters |= {"tau_raised": "100 ms", "rise": f"{adaptation} mV"}
    # The count of spikes is a state: a sample's answer is read without recording its raster.
    states.append("spikes : 1")
    ports = {}
    if not driven:
        ports["synaptic"] = ns.Port("mV/ms", into="current")
    spike = "v >= threshold"
    if adaptation:
        spike = "v >= threshold + raised"
    return ns.Cell(
        "\n".join(states),
        parameters=parameters,
        receives=ports,
        step="\n".join(step),
        spike=spike,
        after_spike="; ".join(after),
        refractory="2 ms",
        name="driven" if driven else "liquid",
    )


def astrocyte() -> ns.Cell:
    """Slow integrator of spikes of the liquid minus spikes of the input; ``level`` sets what lowers
    a weight, ``growth`` what raises it.

    In each step all strengths are multiplied by ``fade``. The level may be negative.
    """
    return ns.Cell(
        """dlevel/dt = (gain * surplus + bias - level) / tau : 1
           growth : 1; gain : 1; bias : 1""",
        parameters={"tau": "100 ms", "fade": 1.0},
        receives={"surplus": ns.Port("1")},
        step="""level = fade * (level + dt / tau * (gain * surplus + bias - level))
                growth = fade * growth
                gain = fade * gain
                bias = fade * bias""",
        name="astrocyte",
    )


def rule(*, learning: bool = True, calcium: bool = False) -> ns.Rule:
    """Pair STDP on signed weights: ``causal`` acts at spikes of the target, ``anticausal`` at those
    of the source, with opposite signs.

    Only the latest spike of a source counts for the current: a spike tops up what is left of the
    one before. The weight that was there is delivered before it changes. A spike is not yet in the
    traces that others read in its step; of two in one step, that of the source comes first, which
    matters at a bound alone (the published program clips the sum of both).

    ``calcium``: a weight grows only while the calcium of its target is between ``theta`` and
    ``theta + band``, and falls only while it is between ``theta - band`` and ``theta``.
    """
    deliver = "out += w * (1 - recent_pre)"
    if not learning:
        return ns.Rule(edge="w : mV/ms", handlers=[("pre", deliver)], name="static")
    # The sign turns growth of a signed weight into growth of its strength.
    at_pre = "-sign * anticausal * trace_post"
    at_post = "sign * causal * trace_pre"
    parameters: dict[str, Any] = {
        "sign": 1.0,
        "causal": 0.15,
        "anticausal": 0.15,
        "w_min": "0 mV/ms",
        "w_max": "3 mV/ms",
    }
    if calcium:
        at_pre = _gated(at_pre)
        at_post = _gated(at_post)
        parameters |= {"theta": 37.0, "band": 22.0}
    weaken = f"w = clip(w + ({at_pre}) * mV/ms, w_min, w_max)"
    strengthen = f"w = clip(w + ({at_post}) * mV/ms, w_min, w_max)"
    return ns.Rule(
        edge="w : mV/ms",
        handlers=[
            ("pre", f"{deliver}; {weaken}"),
            ("post", strengthen),
        ],
        parameters=parameters,
        name="calcium_stdp" if calcium else "astrocyte_stdp",
    )


def _gated(change: str) -> str:
    """Return a change that the calcium of the target lets through, as an expression."""
    grows = "calcium_post > theta and calcium_post < theta + band"
    falls = "calcium_post > theta - band and calcium_post < theta"
    return f"where({grows}, max({change}, 0), where({falls}, min({change}, 0), 0))"


def sites(settings: Settings, seed: int) -> NDArray[np.float64]:
    """Return the (N, 3) positions of the neurons, excitatory ones first, in random order."""
    cube = (settings.side,) * 3
    grid = np.indices(cube).reshape(3, -1).T
    # Excitatory neurons come first among all, so random order mixes both types in space.
    stream = Stream(seed, "astrocyte_liquid/sites")
    order = np.argsort(stream.uniform(np.arange(len(grid))))
    return grid[order].astype(np.float64)


@dataclass(frozen=True, eq=False)
class by_distance:
    """Connector: join different sites with probability ``chance * exp(-(distance / reach)**2)``.

    Parameters
    ----------
    sites : (N, 3)
    chance : (N,)
        By target.
    reach : float
    """

    sites: NDArray[np.float64]
    chance: NDArray[np.float64]
    reach: float

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Draw the edges; see `neurosim.network.edges.Connector`.

        Parameters
        ----------
        stream : Stream
        sources, targets : (n,) indices
        recurrent : bool
            Without effect: neurons of one site are never joined.
        """
        counts = np.zeros(sources.size, np.int64)
        target_parts = [np.empty(0, index_type(targets.size))]
        # Blocks of sources bound the memory: probabilities are of all pairs.
        for block in blocks(sources.size, width=targets.size):
            probability = self._probability(sources[block], targets)
            is_edge = stream.uniform(targets, row=sources[block, None]) < probability
            counts[block] = is_edge.sum(axis=1)
            target_parts.append(np.nonzero(is_edge)[1].astype(target_parts[0].dtype))
        return Edges(pointer_of(counts), np.concatenate(target_parts))

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return a bound of the number of edges.

        Parameters
        ----------
        n_source, n_target : int
        recurrent : bool
            Without effect.
        """
        # On an endless grid of unit spacing; the border of the grid makes it less.
        integral = (self.reach * math.sqrt(math.pi)) ** 3
        mean = n_source * self.chance.mean() * integral
        # Six standard deviations above the mean: memory is demanded before the edges are drawn.
        likely = mean + 6 * math.sqrt(mean)
        most = min(float(n_source) * n_target, likely)
        return EdgeCount(most, exact=False)

    def show(self) -> str:
        return f"by distance, reach {self.reach:g}"

    def _probability(self, sources: IntArray, targets: IntArray) -> NDArray[np.float64]:
        # Axis by axis: all three differences at once would take three times the memory.
        squared = sum(
            (self.sites[sources, None, axis] - self.sites[None, targets, axis]) ** 2
            for axis in range(3)
        )
        nearness = np.exp(-squared / self.reach**2)
        # Two neurons never share a site, so distance 0 is the neuron itself.
        is_other = squared > 0
        return self.chance[targets] * nearness * is_other


def regions(positions: NDArray[np.float64], settings: Settings) -> NDArray[np.int64]:
    """Return the number of the cube in which each site lies, (N,).

    Parameters
    ----------
    positions : (N, 3)
    settings : Settings

    Raises
    ------
    NetworkError
        If the side of the grid cannot be cut into so many parts.
    """
    count = settings.regions
    if not 1 <= count <= settings.side:
        raise NetworkError(
            f"astrocyte liquid, regions: found {count}, expected 1 to {settings.side}, the side of "
            "the grid. Change it."
        )
    cubes = np.floor(positions * count / settings.side).astype(np.int64)
    x, y, z = cubes.T
    return (x * count + y) * count + z


def build(
    settings: Settings, seed: int, *, linked: bool = True, image: ArrayLike | None = None
) -> ns.Network:
    """Return the network, recording nothing.

    ``input`` projects to ``liquid``, this to itself, and both to ``astrocyte``. Of the liquid, the
    excitatory neurons come first. Probabilities ``p`` of the input are a table, one row until it is
    given another.

    Parameters
    ----------
    settings : Settings
    seed : int
    linked : bool
        Without it, rules read no astrocyte: their strengths are constants.
    image : (M,), optional
        Probabilities of an event per ms for the first `PRESENTATION` ms. None: the input is silent.
    """
    net = ns.Network("astrocyte_liquid", dt="1 ms", seed=seed)
    positions = sites(settings, seed)
    source = _add_input(net, settings, image)
    liquid = _add_liquid(net, settings, positions)
    region = regions(positions, settings)
    glia = _add_astrocytes(net, settings)
    strengths = _Strengths.read_from(glia, settings, region)
    _join_liquid(net, settings, liquid, strengths=strengths if linked else None)
    _join_input(net, settings, source, liquid, strengths=strengths if linked else None)
    for start, weight in ((liquid, 1.0), (source, -1.0)):
        # Of the input, the astrocyte hears as large a share as of the liquid.
        hears = ns.fixed_total_number(math.ceil(settings.coverage * len(start)))
        if settings.regions > 1:
            hears, weight = _of_regions(start, region, weight=weight, settings=settings)
        net.project(start, glia, hears, weight=weight, name=f"{start.name}->astrocyte")
    return net


def _add_input(net: ns.Network, settings: Settings, image: ArrayLike | None) -> ns.Population:
    """Add the input, to which an image is shown first; None: silence."""
    silence = np.zeros((1, settings.inputs))
    probabilities = ns.table(silence, every="1 ms")
    if image is not None:
        rows = np.concatenate([np.reshape(image, (1, settings.inputs)), silence])
        probabilities = ns.table(rows, every=f"{PRESENTATION} ms")
    return net.population("input", settings.inputs, neuron(driven=True), p=probabilities)


def _add_liquid(
    net: ns.Network, settings: Settings, positions: NDArray[np.float64]
) -> ns.Population:
    cell = neuron(calcium=settings.calcium > 0, adaptation=settings.adaptation)
    parameters: dict[str, Any] = {}
    if settings.spread:
        # Log-normal numbers around the published value; without spread all have it.
        parameters["tau"] = ns.lognormal("64 ms", settings.spread)
    return net.population("liquid", len(positions), cell, positions=positions, **parameters)


def _add_astrocytes(net: ns.Network, settings: Settings) -> ns.Population:
    return net.population(
        "astrocyte",
        settings.regions**3,
        astrocyte(),
        level=settings.strength,
        bias=settings.strength,
        growth=settings.strength,
        gain=settings.gain,
    )


@dataclass(frozen=True)
class _Strengths:
    """States of astrocytes as the strengths of learning, of edges with either sign.

    Attributes
    ----------
    of_positive, of_negative : strength -> state
        An inhibitory weight grows in strength when its value falls, so its links swap.
    """

    of_positive: dict[str, Any]
    of_negative: dict[str, Any]

    @classmethod
    def read_from(
        cls, glia: ns.Population, settings: Settings, region: NDArray[np.int64]
    ) -> _Strengths:
        growth, level = glia["growth"], glia["level"]
        if settings.regions > 1:
            # Each edge reads the astrocyte of its target.
            growth, level = growth.by("target", region), level.by("target", region)
        positive = {"causal": growth, "anticausal": level}
        negative = {"causal": level, "anticausal": growth}
        return cls(positive, negative)


def _learning(settings: Settings, links: dict[str, Any] | None) -> tuple[ns.Rule, dict[str, Any]]:
    """Return the rule of edges onto the liquid, and parameters besides bounds; None: no links."""
    if settings.calcium:
        # Without an astrocyte: both strengths are constants.
        parameters = {
            "causal": settings.strength,
            "anticausal": settings.strength,
            "theta": settings.calcium,
            "band": settings.band,
        }
        return rule(calcium=True), parameters
    if links is None:
        return rule(), {}
    return rule().reading(**links), {}


def _project(
    net: ns.Network,
    settings: Settings,
    name: str,
    *,
    ends: tuple[Any, ns.Population],
    connector: Any,
    links: dict[str, Any] | None,
    weight: Any,
    bounds: dict[str, float],
) -> None:
    """Add a projection that learns, or in a static liquid does not."""
    source, target = ends
    learns = rule(learning=False)
    parameters: dict[str, Any] = {}
    # Bounds and signs belong to learning; a static rule has none.
    if settings.learning:
        learns, constants = _learning(settings, links)
        parameters = {**constants, **bounds}
    net.project(source, target, connector, rule=learns, weight=weight, name=name, **parameters)


def _join_liquid(
    net: ns.Network, settings: Settings, liquid: ns.Population, *, strengths: _Strengths | None
) -> None:
    """Join the liquid with itself: excitatory neurons come first in it."""
    size = len(liquid)
    excitatory = size - round(settings.inhibitory * size)
    is_excitatory = np.arange(size) < excitatory
    positions = sites(settings, net.seed)

    def near(source_type: str) -> by_distance:
        to_excitatory = CHANCE[source_type, "excitatory"]
        to_inhibitory = CHANCE[source_type, "inhibitory"]
        chance = np.where(is_excitatory, to_excitatory, to_inhibitory)
        return by_distance(positions, chance, settings.reach)

    first = settings.start * settings.weight
    _project(
        net,
        settings,
        "excitation",
        ends=(liquid[:excitatory], liquid),
        connector=near("excitatory"),
        links=None if strengths is None else strengths.of_positive,
        weight=first,
        bounds={"w_min": 0.0, "w_max": settings.weight},
    )
    _project(
        net,
        settings,
        "inhibition",
        ends=(liquid[excitatory:], liquid),
        connector=near("inhibitory"),
        links=None if strengths is None else strengths.of_negative,
        weight=-first,
        bounds={"sign": -1.0, "w_min": -settings.weight, "w_max": 0.0},
    )


def _join_input(
    net: ns.Network,
    settings: Settings,
    source: ns.Population,
    liquid: ns.Population,
    *,
    strengths: _Strengths | None,
) -> None:
    """Join the input with the liquid; the sign of each edge is drawn once."""
    edges = math.floor(settings.density * settings.inputs * len(liquid))
    # From a stream of its own, so that no other draw depends on it.
    signs = Stream(net.seed, "astrocyte_liquid/signs")
    is_positive = signs.uniform(np.arange(edges)) < 0.5
    first = settings.start * settings.weight
    _project(
        net,
        settings,
        "input->liquid",
        ends=(source, liquid),
        connector=ns.fixed_total_number(edges),
        links=None if strengths is None else strengths.of_positive,
        weight=np.where(is_positive, first, -first),
        bounds={"w_min": -settings.weight, "w_max": settings.weight},
    )


def _of_regions(
    start: ns.Population,
    region: NDArray[np.int64],
    *,
    weight: float,
    settings: Settings,
) -> tuple[Any, float]:
    """Return which astrocytes the neurons reach, and the weight."""
    if settings.coverage != 1:
        raise NetworkError(
            f"astrocyte liquid, coverage: found {settings.coverage:g} with {settings.regions} "
            "regions, expected 1: each astrocyte hears all of its region. Leave one of them out."
        )
    if start.name == "input":
        return ns.all_to_all(), weight
    # A region's spikes count as those of a whole liquid, so the gain keeps its meaning.
    return ns.from_arrays(np.arange(region.size), region), weight * settings.regions**3


def network(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, recording spikes of the liquid and the level.

    Parameters
    ----------
    seed : int
    **settings
        Of `SETTINGS`, or fields of `Settings`; those of the task have no effect.

    Returns
    -------
    Network
    """
    _, liquid, _, _ = read_settings(settings)
    net = build(liquid, seed)
    _record(net)
    return net


def episode(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, to which stripes are shown for `PRESENTATION` ms.

    Parameters
    ----------
    seed : int
    **settings
        As for `network`.
    """
    _, liquid, _, _ = read_settings(settings)
    # As bright as a digit: a part of the pixels has events at about every second ms.
    stripes = 0.5 * (np.arange(liquid.inputs) // 4 % 4 == 0)
    net = build(liquid, seed, image=stripes)
    _record(net)
    return net


def _record(net: ns.Network) -> None:
    net.record(net.populations["liquid"], "spikes")
    net.record(net.populations["astrocyte"], "level")
