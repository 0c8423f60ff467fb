"""The memory that a network needs, estimated from its description before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ..draws import sampling
from ..draws.sampling import index_type
from ..draws.values import Distribution, Shared, Table
from ..errors import NetworkError
from ..expr.tree import Expr, draws, names
from ..ir.discretise import cell_program
from ..model.rule import Rule
from ..model.rule_equations import closed_forms
from ..network.network import Network
from ..network.populations import Population
from ..network.projections import Drive, Projection
from ..network.wiring.conditions import DRAWN, BoundCondition
from ..network.wiring.connectors import (
    all_to_all,
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
)
from ..network.wiring.edge_lists import from_arrays, from_sparse
from ..network.wiring.pair_texts import PairText
from ..units import unit
from .free_memory import available

_MARGIN = 1.03  # ratio of memory taken to the sizes of arrays, as measured
_MARGIN_OF_NEURONS = 1.02  # likewise
_NOTED = 16  # edges per delay group from which on engines may store spikes of targets
_LITTLE = 1e8  # bytes; to check whether so few are free takes longer than a short run


def items(network: Network, *, rounded: bool = False, samples: int = 1) -> list[tuple[str, float]]:
    """Return (name, bytes) for every population and projection, largest first.

    A neuron takes the bytes of `_bytes_per_neuron`, 4 for each step of the longest delay
    after which its spikes are needed, and 8 for each step of the longest dendritic delay of each
    projection onto it. An edge takes the bytes of `_bytes_per_edge`, and at least those of
    `_bytes_while_drawn` and of `_bytes_while_sorted`. A delay group of a rule takes about 95,
    mostly while groups are numbered, and 115 more if edges are so many that an engine may defer
    the handlers of spikes of targets. Blocks in work take the bytes of `_bytes_of_work`.

    Parameters
    ----------
    network : Network
    rounded : bool
        Whether a run has numbers of 4 bytes. While values of edges are rounded, both lie in memory.
    samples : int
        Side by side: all but ends, delays and static weights are held for each.
    """
    sizes: list[tuple[str, float]] = []
    of_delays = _bytes_of_delays(network)
    for p in network.populations.values():
        delayed = of_delays[p.name] / network.dt
        sizes.append(
            (
                f"population {p.name!r} ({p.size} neurons)",
                samples * p.size * (_MARGIN_OF_NEURONS * _bytes_per_neuron(p) + delayed),
            )
        )
    for p in network.inputs:
        if isinstance(p, Drive):
            continue
        edges = p.edge_count().most
        size = (
            edges
            * max(
                _bytes_per_edge(p, rounded=rounded), _bytes_while_drawn(p), _bytes_while_sorted(p)
            )
            * _MARGIN
            + _bytes_of_work(p, edges)
            + _bytes_of_groups(p, edges, network.dt)
        )
        if p.rule is not None:
            own = _bytes_per_plastic_edge(p, p.rule, index=0, rounded=rounded)
            size += (samples - 1) * edges * own
        sizes.append((f"projection {p.name!r} ({edges:.3g} edges)", size))
    return sorted(sizes, key=lambda item: -item[1])


def _bytes_per_neuron(p: Population) -> float:
    """Return the bytes of a neuron beside those of delays, as measured.

    A state takes 8, and 8 more for the value with which it begins; a port and refractoriness take
    8 each, the spikes of two steps 8, and an engine 3. A parameter with a value for each neuron
    takes 16, and 8 for each constant that is computed from it. Values that differ between neurons
    take 12 more meanwhile, and drawn parameters another 8.
    """
    own = {name: value for name, value in p.values.items() if _differs(value, p)}
    parameters = [c.name for c in p.cell.parameters if c.name in own]
    size = 11.0 + 16.0 * len(p.cell.states) + 8.0 * len(p.cell.receives) + 16.0 * len(parameters)
    size += 8.0 * (p.cell.refractory is not None) + 8.0 * _count_constants(p, parameters)
    drawn = any(not isinstance(own[name], np.ndarray | Table) for name in parameters)
    return size + 12.0 * bool(own) + 8.0 * drawn


def _differs(value: object, p: Population) -> bool:
    """Return whether a value of a population has one number for each neuron."""
    if isinstance(value, float):
        return False
    if not isinstance(value, Expr):
        return True
    parameters = {c.name for c in p.cell.parameters}
    return bool(draws(value)) or any(
        _differs(p.values[name], p) if name in p.values else name not in parameters
        for name in names(value)
    )


def _count_constants(p: Population, parameters: Sequence[str]) -> int:
    """Return how many constants have a value for each neuron because these parameters have."""
    tables = tuple(name for name in parameters if isinstance(p.values[name], Table))
    own = set(parameters) - set(tables)
    if not own:
        return 0
    try:
        code = cell_program(p.cell, tables)
    except ValueError:  # a row of the report says why the cell cannot run
        return 0
    follow = set(own)
    group = code.propagator
    if group is not None and any(names(tree) & own for row in group.matrix for tree in row):
        follow.update(group.names)
    for name, tree in code.hosted:
        if names(tree) & follow:
            follow.add(name)
    return len(follow) - len(own)


def _bytes_of_work(p: Projection, edges: float) -> float:
    """Return the bytes of the blocks of edges that are worked on, as measured.

    An edge takes 4, 16 if it has a value of its own, 96 while its delay is drawn and counted in
    steps, and 48 under a rule. A pair of texts takes 48 with one edge, 128 while a number of edges
    is drawn and 72 while it is computed from text.
    """
    edge = 48.0 if p.rule is not None else 4.0
    if p.rule is None and not (isinstance(p.weight, float) and isinstance(p.delay, float)):
        edge = 96.0 if isinstance(p.delay, Distribution) else 16.0
    size = edge * min(edges, sampling.BLOCK)
    if not isinstance(p.connector, BoundCondition):
        return size
    numbers = p.connector.n
    pair = 128.0 if isinstance(numbers, Distribution) else 72.0 * isinstance(numbers, PairText)
    return size + (48.0 if numbers == 1 else pair) * min(edges, DRAWN)


def _bytes_while_drawn(p: Projection) -> float:
    """Return the bytes of an edge while its ends are drawn, as measured.

    Edges that are drawn source by source are written to their place; others are sorted, and lists
    by both ends. Pairs with several edges lie in memory beside these.
    """
    index = _bytes_of_target(p)
    match p.connector:
        case all_to_all() | fixed_probability() | fixed_outdegree():
            return float(index)
        case fixed_indegree():
            return index + 4.0
        case fixed_total_number():
            return index + 8.0
        case from_arrays() | from_sparse():
            source = np.dtype(index_type(len(p.source))).itemsize
            return index + (source + 8.0 if _sorts_lists(p) else 0.0)
        case BoundCondition(n=n) as condition:
            return float(index if n == 1 else index + index / max(condition.edges_per_pair, 1.0))
    return 8.0


def _bytes_while_sorted(p: Projection) -> float:
    """Return the bytes of an edge while its values follow its ends, as measured.

    Where edges come to lie in another order than the user's, or than that of the views, a position
    takes 4. Edges of a view have their ends in both forms meanwhile, draws lie beside their sorted
    values.
    """
    index = _bytes_of_target(p)
    listed, moved = _sorts_lists(p), _moves(p)
    size = index + 4.0 * listed + 4.0 * moved
    values = [p.weight, p.delay] if p.back is None else [p.weight, p.delay, p.back]
    stored = sum(8.0 for value in values if isinstance(value, np.ndarray | PairText))
    drawn = sum(8.0 for value in values if isinstance(value, Distribution))
    if moved:
        stored += drawn + 8.0 * bool(drawn)
    elif isinstance(p.weight, Distribution) and p.rule is None:
        stored += 8.0
    return max(size + stored, size + index * (moved or not p.target.whole))


def _sorts_lists(p: Projection) -> bool:
    """Return whether the edges are a list of the user's in another order than the network's."""
    match p.connector:
        case from_arrays(ascending=ascending) | from_sparse(pairs=from_arrays(ascending=ascending)):
            return not ascending
    return False


def _moves(p: Projection) -> bool:
    """Return whether edges are in another order than that of the views."""
    return not (p.source.ascending and p.target.ascending)


def _bytes_of_target(p: Projection) -> int:
    """Return the bytes of the index of a target."""
    chosen = p.target.chosen
    below = p.target.population.size if chosen is None else int(chosen.max()) + 1
    return np.dtype(index_type(below)).itemsize


def _bytes_per_edge(p: Projection, *, rounded: bool) -> float:
    """Return the bytes of an edge while its run is prepared.

    The target takes 2 or 4, each value of its own 8. Delays that differ take 8 if they are not
    drawn part by part; without a rule, their steps take 2.
    Weights without a rule that are rounded take 4 more meanwhile. Delays as array take 8.
    Of weights that edges share, the position takes 4, or 2 and meanwhile 2 more; the engine writes
    them out if delays differ.
    """
    index = _bytes_of_target(p)
    size = index + 8.0 * isinstance(p.delay, np.ndarray)
    size += 8.0 * (_moves(p) and isinstance(p.delay, Distribution))
    if p.rule is not None:
        return size + _bytes_per_plastic_edge(p, p.rule, index=index, rounded=rounded)
    differ = not isinstance(p.delay, float)
    own_weight = not isinstance(p.weight, float)
    if isinstance(p.weight, Shared):
        own_weight = False
        size += 4.0 + 8.0 * differ
    stored = differ and not isinstance(p.delay, Distribution)
    return size + 2.0 * differ + 8.0 * stored + (12.0 if rounded else 8.0) * own_weight


def _bytes_per_plastic_edge(
    p: Projection,
    rule: Rule,
    *,
    index: int,
    rounded: bool,
) -> float:
    """Return the bytes of an edge beside its target and the user's delay.

    The array with which a variable begins, to which it is reset, takes 8; so does the step of the
    last assignment of a variable that decays. Rules that act on spikes of the target take 4 for
    the way back; each part of the delay that differs takes 4, and up to 8 for its delay groups.
    The sources of edges, which are read in the order of the targets, take 2 or 4 meanwhile.
    """
    size = 0.0
    begin = {v.name: p.weight if v.name == "w" else p.values.get(v.name, 0.0) for v in rule.edge}
    forms = closed_forms(rule)
    for v in rule.edge:
        stored = isinstance(begin[v.name], np.ndarray | PairText | Shared)
        # Draws that moved are stored like arrays, others are made again.
        stored |= _moves(p) and isinstance(begin[v.name], Distribution)
        size += (4.0 if rounded else 8.0) + 8.0 * stored + 8.0 * (v.name in forms)
    back = _goes_back(rule)
    size += 4.125 * back + 16.0 * sum(c.per == "edge" for c in rule.parameters)
    size += 8.0 * (not isinstance(p.delay, float | Distribution))
    axonal, dendritic, returning = _compare_delays(p, rule)
    own_return = back and p.back is not None and returning
    size += (8.0 + index) * axonal + 4.0 * dendritic
    source = np.dtype(index_type(p.source.population.size)).itemsize
    return size + (index + source * bool(index)) * returning + 4.0 * own_return


def _goes_back(rule: Rule) -> bool:
    """Return whether spikes of the target act on edges."""
    return bool(rule.post) or any(handler.trigger == "post" for handler in rule.handlers)


def _compare_delays(p: Projection, rule: Rule) -> tuple[bool, bool, bool]:
    """Return whether axonal, dendritic and returning delays differ between edges."""
    # Arrays and draws count as different, even if their values should turn out equal.
    differ = not isinstance(p.delay, float)
    dendritic = differ and p.dendritic_fraction > 0
    back = dendritic if p.back is None else not isinstance(p.back, float)
    return differ and p.dendritic_fraction < 1, dendritic, back and _goes_back(rule)


def _bytes_of_groups(p: Projection, edges: float, dt: float) -> float:
    """Return the bytes of the expected number of delay groups.

    Delays without bounds count as one: how many differ is unknown before a draw.
    """
    if p.rule is None:
        return 0.0
    axonal, _, back = _compare_delays(p, p.rule)
    sides = [(len(p.source), p.delay if axonal else 0.0, 1 - p.dendritic_fraction)]
    if _goes_back(p.rule):
        returning = p.delay if p.back is None else p.back
        part = p.dendritic_fraction if p.back is None else 1.0
        sides.append((len(p.target), returning if back else 0.0, part))
    groups = []
    for neurons, delay, part in sides:
        shortest, longest = _bounds(delay)
        pairs = neurons * (1 + part * (longest - shortest) / dt)
        # Edges fall on pairs like balls into boxes: the expected number of boxes with a ball.
        groups.append(-pairs * np.expm1(-edges / pairs))
    return (210.0 if edges >= _NOTED * max(groups) else 95.0) * sum(groups)


def _bytes_of_delays(network: Network) -> dict[str, float]:
    """Return the bytes of a neuron for delays, times the step (ms): stored spikes, rings.

    By population; each projection is read once, since there may be thousands of both.
    """
    history = dict.fromkeys(network.populations, 0.0)
    landing = dict.fromkeys(network.populations, 0.0)
    for p in network.projections.values():
        source = p.source.name
        target = p.target.name
        longest = _bounds(p.delay)[1]
        dendritic = longest * p.dendritic_fraction if p.rule is not None else 0.0
        history[source] = max(history[source], longest - dendritic)
        if p.rule is not None:
            landing[target] += dendritic
            if _goes_back(p.rule):
                back = dendritic if p.back is None else _bounds(p.back)[1]
                history[target] = max(history[target], back)
    return {name: 4.0 * history[name] + 8.0 * landing[name] for name in network.populations}


def _bounds(delay: float | np.ndarray | Distribution | PairText) -> tuple[float, float]:
    """Return the shortest and longest delay (ms); 0 and 0 if they are unknown before a draw."""
    if isinstance(delay, PairText):
        return 0.0, 0.0
    if isinstance(delay, Distribution):
        low, high = delay.bounds(unit("ms"))
    else:
        low = np.min(delay, initial=np.inf)
        high = np.max(delay, initial=-np.inf)
    return (float(low), float(high)) if np.isfinite(high - low) else (0.0, 0.0)


def demand_memory(network: Network, *, rounded: bool = False, samples: int = 1) -> None:
    """Raise NetworkError if the network will not fit into memory; see `items`.

    The message names the three largest items.
    """
    # Before any draw, because the system ends a process without memory and without a message.
    sizes = items(network, rounded=rounded, samples=samples)
    free = available()
    if sum(size for _, size in sizes) > free:
        raise NetworkError(_describe_need(network, sizes, free=free))


@contextmanager
def explaining_memory(network: Network, *, rounded: bool = False) -> Iterator[None]:
    """Raise NetworkError with the estimate in place of a MemoryError within the block.

    Parameters
    ----------
    network : Network
    rounded : bool
        As of `items`.
    """
    try:
        yield
    except MemoryError as error:
        needs = _describe_need(network, items(network, rounded=rounded), free=available())
        raise NetworkError(f"memory ran out before the run began: {needs}") from error


def _describe_need(network: Network, sizes: list[tuple[str, float]], *, free: float) -> str:
    """Return sentences with the estimate, its three largest items and the remedy."""
    needed = sum(size for _, size in sizes)
    return (
        f"network {network.name!r} needs about {_gigabytes(needed)} of memory, but "
        f"{_gigabytes(free)} are available. The largest items are {_show_largest(sizes)}. "
        "Use fewer edges, one weight for all edges of a projection, precision='float32' on 'cpu', "
        "or a larger machine; for a run on several, backend='nest' with ranks=, or SpiNNaker "
        "boards. The page on other simulators has a table of the memory of each."
    )


def demand_traces(traces: Sequence[tuple[str, float]], *, held: float, time: float) -> None:
    """Raise NetworkError if traces will not fit into memory; the three largest are named.

    All data are needed twice, since a recording is made of a copy.

    Parameters
    ----------
    traces : (name, bytes)
        To be recorded.
    held : float, bytes
        Recorded already.
    time : float, ms
    """
    new = sum(size for _, size in traces)
    needed = 2 * new + held
    # Short runs would otherwise spend more time on this check than on their steps.
    if not new or needed < _LITTLE:
        return
    free = available()
    if needed > free:
        largest = _show_largest(sorted(traces, key=lambda item: -item[1]))
        raise NetworkError(
            f"run: recording {time:.12g} ms needs about {_gigabytes(needed)} of memory, a copy for "
            f"the result included, but {_gigabytes(free)} are available. The largest traces are "
            f"{largest}. Record with a longer every=, fewer neurons or edges, or to disk: stream= "
            "of ns.prepare and ns.simulate."
        )


def _show_largest(sizes: Sequence[tuple[str, float]]) -> str:
    return "; ".join(f"{name}: {_gigabytes(size)}" for name, size in sizes[:3])


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
