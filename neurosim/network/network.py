"""Network: the user's description of populations and projections, checked at every line."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, count
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import refuse_repeated
from ..draws.values import DrawnQuantity, ParameterValue, Weights, gamma, integers, uniform
from ..errors import NetworkError, describe, describe_unknown
from ..model.binding import bind
from ..model.cell import Cell
from ..model.cell_resolution import read_update
from ..model.declarations import Constant, State
from ..model.rule import Rule
from ..quantities import to_engine
from ..units import Quantity, Time, unit
from .edges import Connector
from .links import read_links
from .populations import Population, View
from .probes import Probe, name_trace, probe_at_spikes, probe_edges, probe_neurons
from .projections import Drive, Projection
from .same_step import require_same_step
from .sources import (
    BERNOULLI,
    GAMMA,
    GIVEN_SPIKES,
    POISSON,
    REGULAR,
    RENEWAL,
    SpikeLists,
    read_shape,
    read_spikes,
    require_drive_rate,
    require_source_value,
)
from .timed_events import RegularUpdate, SpikeSignal
from .validation import (
    MOST_STEPS,
    read_duration,
    read_flag,
    read_quantity,
    read_whole_number,
    to_steps,
)
from .values.cell_parameters import described_value
from .values.coefficients import (
    require_cells_at_edges,
    require_rule_coefficients,
    require_update_coefficients,
)
from .values.drives import read_target_text
from .values.population import (
    check_refractory_time,
    read_population_values,
    require_time_constants,
    take_time_courses,
)
from .values.projection import (
    count_edges,
    default_port,
    port_unit,
    read_delays,
    read_fraction,
    read_rule_values,
    read_weights,
    require_port,
    unit_of_delivery,
)
from .values.signs import warn_of_signs
from .wiring.pairs import PairConnector, Pairs, read_box, read_connector

# Pairs and edges up to which texts over them are evaluated at the user's line.
_EVALUATED = 1 << 18
_ARGUMENTS = (
    "weight",
    "delay",
    "port",
    "rule",
    "name",
    "dendritic_fraction",
    "round_delays",
    "same_step",
)
MOST_NEURONS = 2**31 - 1  # engines number the neurons of a population with 32 bits


class Network:
    """Populations, projections, sources and probes.

    ``net["name"]`` is the population, projection or drive of that name.

    Parameters
    ----------
    name : str
        A title on one line: letters, digits, spaces and ``_ - . , : ; ( ) + & = /``, beginning with
        a letter.
    dt : time
        Length of a step.
    seed : int
        Of every random draw, before and during a run.

    Raises
    ------
    NetworkError
        If the name is malformed, dt is no positive time, or the seed no whole number from 0 on.

    Attributes
    ----------
    populations : dict
        By name, in the order in which they were added.
    projections : dict
        By name, in the order in which they were added.
    drives : dict
        By name, in the order in which they were added.
    inputs : list of Projection and Drive
        In the order in which they were added. Sums of input follow it.
    probes : list of Probe
        Spikes and variables to record.
    updates : list of RegularUpdate
        Statements at regular times, in the order in which they run.
    signals : list of SpikeSignal
        Signals that spikes emit.
    """

    def __init__(self, name: str, *, dt: Time, seed: int = 0) -> None:
        _require_title(name)
        self.name = name
        self.dt = read_duration(dt, where=f"network {name!r}, dt")
        self.seed = read_whole_number(seed, where=f"network {name!r}, seed", least=0)
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.drives: dict[str, Drive] = {}
        # One list for both: sums of floating-point numbers depend on the order of their terms.
        self.inputs: list[Projection | Drive] = []
        self.probes: list[Probe] = []
        self.updates: list[RegularUpdate] = []
        self.signals: list[SpikeSignal] = []

    def __getitem__(self, name: str) -> Population | Projection | Drive:
        owners = self.owners()
        if not isinstance(name, str) or name not in owners:
            noun = "population, projection or drive"
            raise NetworkError(describe_unknown(noun, name, owners, owner=f"network {self.name!r}"))
        return owners[name]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.owners())

    def __repr__(self) -> str:
        neurons = sum(population.size for population in self.populations.values())
        return (
            f"<network {self.name!r}: {len(self.populations)} populations, {neurons} neurons, "
            f"{len(self.projections)} projections, dt {self.dt:.12g} ms>"
        )

    @refuse_repeated
    def population(
        self,
        /,
        name: str,
        size: int,
        cell: Cell,
        *,
        positions: Quantity | None = None,
        **values: ParameterValue,
    ) -> Population:
        """Add neurons.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        cell : Cell
        positions : (N, 3) or (N, 2), um, optional
            Readable as x, y, z in expressions; of neurons in a plane z is 0.
        **values : number, quantity, array (N,), draw, `Table` or text
            Parameters of the cell, initial values of its states, and draws of other names that
            expressions read. Text is an expression over other names, ``i`` and ``N``;
            ``uniform()`` and ``normal()`` in it draw for each neuron. A parameter's text may also
            read the time ``t`` (see `Cell.following`), and follows when `Run.set`
            changes a parameter that it reads.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError, ModelError
            Unknown names, wrong units or shapes, values that are not finite, a name in use.
        """
        self._require_free(name, "population")
        where = f"population {name!r}"
        size = read_whole_number(size, where=f"{where}, size", most=MOST_NEURONS)
        if not isinstance(cell, Cell):
            raise NetworkError(
                f"{where}: found {describe(cell)}, expected a Cell. "
                + ("Call it: cells.lif()." if callable(cell) else "Make one with ns.Cell or ")
                + ("" if callable(cell) else "neurosim.models.cells.")
            )
        own = (*cell.states, *cell.parameters)
        arguments = {"positions": positions}
        _require_one_meaning(own, arguments, where=where, owner=f"cell {cell.name!r}")
        sites = None if positions is None else _read_positions(positions, size, where)
        # A parameter over time becomes a definition, which changes the cell of this population
        # alone.
        cell, others = take_time_courses(where, cell, values)
        checked = read_population_values(
            where,
            cell,
            size,
            # Values of the population win over initial values that the cell declares.
            {**dict(cell.initial), **others},
            dt=self.dt,
            positions=sites is not None,
        )
        check_refractory_time(where, cell, checked, self.dt)
        require_time_constants(where, cell, checked)
        # Stored after all checks: a call that fails leaves the network as it was.
        self.populations[name] = Population(name, size, cell, checked, sites)
        return self.populations[name]

    def poisson(
        self,
        name: str,
        size: int,
        *,
        rate: ParameterValue,
        positions: Quantity | None = None,
    ) -> Population:
        """Add Poisson sources: at most one spike per neuron and step, with probability rate * dt.

        The mean is that of a Poisson process; the variance of the counts is 1 - rate * dt times as
        large, since no step has two spikes. `poisson_drive` counts several.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        rate : number, quantity, array (N,), draw, `Table` or text over ``i``, ``N``, ``t``, Hz
            Text over the time ``t``, ``"(1 + sin(2*pi*t / (100*ms))) * 10*Hz"``, is not checked:
            no spike below 0, one in each step above 1/dt.
        positions : (N, 3) or (N, 2), um, optional
            As those of `population`.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError, ModelError
            A rate below 0 or above 1/dt, a wrong unit or shape, a name in use.
        """
        return self._source(name, size, POISSON, {"rate": rate}, positions=positions)

    def bernoulli(
        self,
        name: str,
        size: int,
        *,
        p: ParameterValue,
        positions: Quantity | None = None,
    ) -> Population:
        """Add sources that spike in each step with a probability.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        p : number, array (N,), draw, `Table` or text over ``i`` and ``N`` (1)
            Probability of a spike per step.
        positions : (N, 3) or (N, 2), um, optional
            As those of `population`.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError, ModelError
            A probability outside 0 to 1, a wrong shape, a name in use.
        """
        return self._source(name, size, BERNOULLI, {"p": p}, positions=positions)

    def regular(
        self,
        name: str,
        size: int,
        *,
        rate: ParameterValue,
        phase: ParameterValue = 0.0,
        positions: Quantity | None = None,
    ) -> Population:
        """Add sources that spike at regular intervals, each in the first step that reaches it.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        rate : number, quantity, array (N,), draw, `Table` or text over ``i``, ``N``, ``t``, Hz
        phase : number, array (N,), draw or text over ``i`` and ``N`` (1)
            The part of the first interval that has passed at the start; with 0 the first spike
            has the time of one interval.
        positions : (N, 3) or (N, 2), um, optional
            As those of `population`.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError, ModelError
            A rate below 0 or above 1/dt, a wrong unit or shape, a name in use.
        """
        values = {"rate": rate, "phase": phase}
        return self._source(name, size, REGULAR, values, positions=positions)

    def gamma(
        self,
        name: str,
        size: int,
        *,
        rate: ParameterValue,
        shape: float,
        positions: Quantity | None = None,
    ) -> Population:
        """Add sources whose intervals have a gamma distribution: more regular than Poisson's.

        The mean of the rate is exact; the variation of intervals is 1 / sqrt(shape). Of a whole
        shape they emit every ``shape``-th event of a Poisson process of ``shape * rate``; the
        variation is smaller where ``shape * rate * dt`` is not small. Of another shape intervals
        are drawn, and end with a step.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        rate : number, quantity, array (N,), draw, `Table` or text over ``i``, ``N``, ``t``, Hz
        shape : float
            At least 0.1; 1: a Poisson process, below: bursts. Each source begins at a random time.
        positions : (N, 3) or (N, 2), um, optional
            As those of `population`.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError, ModelError
            A rate below 0, above 1/(shape * dt) if the shape is whole, else above 1/dt; a shape
            below 0.1.
        """
        order = read_shape(shape, where=f"population {name!r}, shape")
        values: dict[str, ParameterValue] = {"rate": rate, "shape": order}
        if order.is_integer():
            values["events"] = integers(0, int(order))
            return self._source(name, size, GAMMA, values, positions=positions, shape=order)
        # A time falls into an interval the likelier the longer it is: such have one shape more.
        values |= {"elapsed": uniform(0, 1), "interval": gamma(order + 1, 1 / order)}
        values["left"] = "elapsed * interval"
        return self._source(name, size, RENEWAL, values, positions=positions)

    def _source(
        self,
        name: str,
        size: int,
        cell: Cell,
        values: dict[str, ParameterValue],
        *,
        positions: Quantity | None,
        shape: float = 1.0,
    ) -> Population:
        self._require_free(name, "population")
        where = f"population {name!r}"
        size = read_whole_number(size, where=f"{where}, size", most=MOST_NEURONS)
        sites = None if positions is None else _read_positions(positions, size, where)
        # A rate over time is a definition of a cell of its own.
        cell, values = take_time_courses(where, cell, values)
        checked = read_population_values(
            where, cell, size, values, dt=self.dt, positions=sites is not None
        )
        # Cells have no bounds: a negative rate would simply never spike.
        for parameter in cell.parameters:
            if parameter.name in checked and parameter.name != "shape":
                require_source_value(
                    cell,
                    checked[parameter.name],
                    size=size,
                    dt=self.dt,
                    where=f"{where}, {parameter.name}",
                    declared=parameter.unit,
                    shape=shape,
                )
        self.populations[name] = Population(name, size, cell, checked, sites)
        return self.populations[name]

    def spike_source(
        self,
        name: str,
        size: int,
        *,
        times: SpikeLists | None = None,
        steps: SpikeLists | None = None,
        round_times: bool = False,
        positions: Quantity | None = None,
    ) -> Population:
        """Add a source whose spikes are listed.

        Parameters
        ----------
        name : str
        size : int
            Number of neurons, N.
        times : N lists of times, or (indices, times), optional
            A spike at time t belongs to step t/dt - 1, so that a recording returns the time t.
            Plain numbers are ms.
        steps : N lists of steps, or (indices, steps), optional
            In place of times. Without either the source is silent; `Run.set` gives it spikes.
        round_times : bool
            Round times to the nearest multiple of dt; the first one is dt.
        positions : (N, 3) or (N, 2), um, optional
            As those of `population`.

        Returns
        -------
        Population

        Raises
        ------
        NetworkError
            A time that is no multiple of dt, a neuron that spikes twice in a step or does not
            exist, a name in use.
        """
        self._require_free(name, "population")
        where = f"population {name!r}"
        size = read_whole_number(size, where=f"{where}, size", most=MOST_NEURONS)
        sites = None if positions is None else _read_positions(positions, size, where)
        # Silent until a run sets spikes.
        if times is None and steps is None:
            steps = [[]] * size
        spikes = read_spikes(
            size, self.dt, times=times, steps=steps, where=where, rounded=round_times
        )
        self.populations[name] = Population(name, size, GIVEN_SPIKES, {}, sites, spikes)
        return self.populations[name]

    @refuse_repeated
    def project(
        self,
        /,
        source: Population | View,
        target: Population | View,
        connector: Connector | PairConnector,
        *,
        weight: Weights | None = None,
        delay: DrawnQuantity = 0.0,
        port: str | None = None,
        rule: Rule | None = None,
        name: str | None = None,
        dendritic_fraction: float = 1.0,
        back: DrawnQuantity | None = None,
        round_delays: bool = False,
        box: Quantity | Sequence[Quantity | None] | None = None,
        same_step: bool = False,
        **values: DrawnQuantity,
    ) -> Projection:
        """Add edges from ``source`` to ``target``.

        Arrays have one value per edge in the connector's order: that of the entries of
        `from_arrays` and `from_sparse`, else by position within ``source``, then within ``target``.
        `Run.get` and `Run.set` sort by neurons instead. Text over a pair reads the names that
        `where` lists: ``weight="0.1*nA * exp(-distance / (100*um))"``.

        Parameters
        ----------
        source, target : Population or View
        connector : Connector or PairConnector
            Says which neurons are joined.
        weight : quantity, array (E,), draw, text or `Shared`, in the unit of the port
            The initial ``w`` of a rule. May be left out if the connector has weights, or with a
            rule.
        delay : time, array (E,), draw or text
            In whole steps, from a spike of the source to its effect.
        port : str, optional
            May be left out if the target has one port.
        rule : Rule, optional
            The variables and handlers of edges. Without one they add their weight to the port.
        name : str, optional
            By default it consists of the names of source, target and port; a further projection of
            these names its views, such as ``a[0:80]->b.in``, or has a number, ``a->b.in:2``.
        dendritic_fraction : float (1)
            The part of the delay between synapse and soma; the rest lies before the synapse.
        back : time, array (E,), draw or text, optional
            From a spike of the target to the synapse; by default the dendritic part of the delay.
        round_delays : bool
            Whether delays are rounded to whole steps.
        box : length, or one for each of x, y and z, optional
            Space repeats after it: the ``distance`` of a pair is that of the nearest image. None
            for an axis: it does not.
        same_step : bool
            Whether the target feels spikes in the step in which they are emitted; the delay is 0.
        **values : number, quantity, array, draw or text
            Parameters and variables of the rule; arrays have one value per edge, source or target,
            as the rule declares; text, one per edge.

        Returns
        -------
        Projection

        Raises
        ------
        NetworkError, ModelError
            Ports, units, shapes, delays, a statement whose result would depend on the order of
            edges, a circle of same-step projections, a name in use.
        """
        from_view = self._view(source, "source")
        to_view = self._view(target, "target")
        ends = f"({from_view.name} -> {to_view.name})"
        if isinstance(rule, Rule):
            arguments = {
                "back": back,
                "box": box,
                # With a variable w it is its initial value.
                "weight": None if any(v.name == "w" for v in rule.edge) else weight,
                # Text is a name or a port, and True an answer: they mean the argument.
                "name": None if isinstance(name, str) else name,
                "port": None if isinstance(port, str) else port,
                "delay": _unless_default(delay, 0.0),
                "dendritic_fraction": _unless_default(dendritic_fraction, 1.0),
                "round_delays": None if isinstance(round_delays, bool) else round_delays,
                "same_step": None if isinstance(same_step, bool) else same_step,
            }
            own = (*rule.variables, *rule.parameters)
            owner = f"rule {rule.name!r}"
            _require_one_meaning(own, arguments, where=f"projection {ends}", owner=owner)
        _require_known(values, rule, f"projection {ends}")
        cell = to_view.population.cell
        port = default_port(cell, port)
        if name is None:
            # A port of another type is refused below, by a message that can name the projection.
            ending = f".{port}" if isinstance(port, str) else ""
            name = self._free_name(
                f"{from_view.name}->{to_view.name}{ending}",
                f"{from_view.label}->{to_view.label}{ending}",
            )
        # Automatic names hold an arrow and a dot; users name projections between views a[:9]->b.
        self._require_free(name, "projection", more="->.[]:")
        where = f"projection {name!r} {ends}"
        pairs = Pairs(from_view, to_view, self.seed, read_box(box, where=where))
        bound_connector = read_connector(connector, pairs, where)
        _require_rule(rule, where)
        # Counted before values are read, whose lengths are checked against it.
        edges = count_edges(bound_connector, from_view, to_view, where)
        expected = unit_of_delivery(cell, port, rule, where)
        # The projection itself is not among the owners yet: links read earlier ones alone.
        links, sides = read_links(
            rule, from_view, to_view, owners=self.owners(), edges=edges, where=where
        )
        bound = None
        if rule is not None:
            # Units of a rule can be checked only when the cells at both ends are known.
            bound = bind(
                rule,
                from_view.population.cell,
                cell,
                links=sides,
                out=None if expected is None else expected.exponents,
                where=where,
            )
        weights = read_weights(
            weight, rule, bound_connector, unit=expected, edges=edges, pairs=pairs, where=where
        )
        rounding = read_flag(round_delays, where=f"{where}, round_delays")
        delays = read_delays(
            delay, dt=self.dt, rounded=rounding, edges=edges, pairs=pairs, where=where
        )
        fraction = read_fraction(
            dendritic_fraction, delays, dt=self.dt, rounded=rounding, where=where
        )
        returning = None
        if back is not None:
            returning = read_delays(
                back,
                dt=self.dt,
                rounded=rounding,
                edges=edges,
                pairs=pairs,
                where=where,
                part="back",
            )
        counts = {"source": len(from_view), "target": len(to_view), "edge": edges}
        projection = Projection(
            name=name,
            source=from_view,
            target=to_view,
            connector=bound_connector,
            weight=weights,
            delay=delays,
            dendritic_fraction=fraction,
            back=returning,
            round_delays=rounding,
            same_step=read_flag(same_step, where=f"{where}, same_step"),
            port=port,
            rule=rule,
            bound=bound,
            links=links,
            values=read_rule_values(rule, values, counts=counts, pairs=pairs, where=where),
            box=pairs.box,
        )
        require_rule_coefficients(
            projection, projection.values, of_cells=described_value, where=where
        )
        if projection.same_step:
            require_same_step(projection, self.projections.values(), where)
        evaluated: dict[str, np.ndarray] = {}
        # Many edges are not drawn twice: their texts are evaluated when the network is prepared.
        few = pairs.count <= _EVALUATED and projection.edge_count().most <= _EVALUATED
        # Wrong values of a text are found at the user's line, and not when the network is prepared.
        if few and (isinstance(connector, PairConnector) or projection.written):
            evaluated = _evaluate_texts(projection, self.seed, self.dt)
        if few and projection.rule is not None:
            require_cells_at_edges(projection, self.seed, of_cells=described_value, where=where)
        warn_of_signs(projection, evaluated.get("weight"))
        self.projections[name] = projection
        self.inputs.append(projection)
        return projection

    def poisson_drive(
        self,
        target: Population | View,
        *,
        n: int = 1,
        rate: DrawnQuantity,
        weight: DrawnQuantity,
        port: str | None = None,
        name: str | None = None,
    ) -> Drive:
        """Add counts of independent Poisson trains to a port of every target.

        Parameters
        ----------
        target : Population or View
            M neurons.
        n : int
            Independent trains for each target.
        rate : number, quantity, array (M,), draw or text over the target neuron, Hz
            Of each train; at most a million counts per step and target in the mean. Text reads what
            initial values read, such as ``"2*Hz * i"``.
        weight : number, quantity, array (M,), draw or text, in the unit of the port
            Added for each spike.
        port : str, optional
            May be left out if the target has one port.
        name : str, optional
            By default it consists of the names of target and port; a further drive of these names
            its view, or has a number.

        Returns
        -------
        Drive

        Raises
        ------
        NetworkError
            A rate below 0 or too large, a wrong unit or shape, no such port, a name in use.
        """
        view = self._view(target, "target")
        cell = view.population.cell
        port = default_port(cell, port)
        if name is None:
            port = require_port(cell, port, f"drive (-> {view.name})")
            port_unit(cell, port, f"drive (-> {view.name})")
            name = self._free_name(
                f"poisson_drive->{view.name}.{port}", f"poisson_drive->{view.label}.{port}"
            )
        self._require_free(name, "drive", more="->.[]:")
        where = f"drive {name!r} (-> {view.name})"
        port = require_port(cell, port, where)
        expected = port_unit(cell, port, where)
        sizes = {"one per target": len(view)}
        hertz = unit("Hz")
        rate = read_target_text(view, rate, hertz, seed=self.seed, where=f"{where}, rate")
        weight = read_target_text(view, weight, expected, seed=self.seed, where=f"{where}, weight")
        rates = read_quantity(rate, hertz, sizes=sizes, where=f"{where}, rate")
        n = read_whole_number(n, where=f"{where}, n", most=MOST_STEPS)
        require_drive_rate(rates, n=n, dt=self.dt, where=f"{where}, rate")
        drive = Drive(
            name=name,
            target=view,
            port=port,
            n=n,
            rate=rates,
            weight=read_quantity(weight, expected, sizes=sizes, where=f"{where}, weight"),
        )
        warn_of_signs(drive)
        self.drives[name] = drive
        self.inputs.append(drive)
        return drive

    def record(
        self,
        owner: Population | View | Projection,
        *variables: str,
        every: Time | None = None,
        edges: ArrayLike | None = None,
        name: str | None = None,
        at: Literal["spikes"] | None = None,
    ) -> None:
        """Record spikes or variables.

        Parameters
        ----------
        owner : Population, View or Projection
        *variables : str
            ``"spikes"``, states of a population, or variables of a projection's rule (``"w"``
            without a rule).
        every : time, optional
            Between two samples of a variable; by default one step. All spikes are recorded.
        edges : (M,) whole numbers, optional
            Recorded edges of a projection, numbered by source, then target; by default all.
        name : str, optional
            Of the trace in recordings; by default that of the variable, and of a further view of
            which it is recorded ``v[0:10]``.
        at : "spikes", optional
            Record states of a population in place of at intervals at each spike of a neuron, of
            this neuron: as the spike finds them, integrated, before the reset.

        Raises
        ------
        NetworkError
            No such variable, one that is recorded already, ``every`` that is no multiple of dt.
        """
        if not variables:
            raise NetworkError(
                "record: found no variable, expected 'spikes' or names of states. "
                "Name what to record."
            )
        # All variables of a call are checked before any of them is recorded.
        if at is None:
            probes = [self._probe(owner, variable, every, edges) for variable in variables]
        else:
            view = self._view_at_spikes(owner, at, every, edges=edges)
            probes = [probe_at_spikes(view, variable) for variable in variables]
        # Values at spikes have names of their own.
        alike = [probe for probe in self.probes if probe.at_spikes == (at is not None)]
        recorded = {(probe.owner.name, probe.label) for probe in alike}
        for number, probe in enumerate(probes):
            probes[number] = probe = name_trace(probe, name, variables, recorded=recorded)
            recorded.add((probe.owner.name, probe.label))
        # Only probes of spikes have no unit.
        if every is not None and all(probe.unit is None for probe in probes):
            raise NetworkError(
                f"record: found every={describe(every)} with 'spikes' alone, "
                "expected it with states: every spike is recorded, at its step. "
                "Leave it out, or name a state."
            )
        self.probes.extend(probes)

    def every(self, interval: Time, target: Population | View, statements: str) -> None:
        """Run statements over the states of neurons at regular times.

        They run before the steps that begin at 0, ``interval``, ``2 * interval``, ... , ahead of
        everything else in the step; several in the order in which they were added. ``t`` is the
        beginning of the step. Frozen states are assigned too.

        Parameters
        ----------
        interval : time
            A multiple of dt; a plain number is in ms.
        target : Population or View
            The neurons whose states change.
        statements : str
            Assignments to states, such as ``"v = rest; u += 0.1 * mV * uniform()"``, over
            everything that the equations of the cell may read.

        Raises
        ------
        NetworkError, ModelError
            ``interval`` that is no multiple of dt, a target of another network, a name that is no
            state, units that do not agree.
        """
        if isinstance(interval, Population | View):
            raise NetworkError(
                f"every: found {describe(interval)} in place of the interval, expected a time, "
                "then neurons, then statements. Write such as "
                "net.every('10 ms', population, 'v = ...')."
            )
        steps = int(
            to_steps(
                read_duration(interval, where="every, interval"),
                self.dt,
                where="every: interval",
            )
        )
        view = self._view(target, "every")
        # Its cell has no equations, so every name would be unknown without a reason.
        if view.population.source_spikes is not None:
            raise NetworkError(
                f"every: population {view.name!r} has given spikes and no states, expected one "
                "that has. Name another."
            )
        cell = view.population.cell
        owner = f"every, population {view.name!r} ({cell.name})"
        update = RegularUpdate(view, steps, read_update(cell, statements, owner), len(self.updates))
        require_update_coefficients(update, view.population.values, where=owner)
        self.updates.append(update)

    def signal(self, name: str, source: Population | View) -> None:
        """Emit a signal whenever a neuron of ``source`` spikes.

        Handlers of the signal run between the step of the spike and the next, as those of
        `Run.emit`: once, however many neurons spiked in the step.

        Parameters
        ----------
        name : str
            Of a signal to which a rule of a projection listens.
        source : Population or View

        Raises
        ------
        NetworkError
            If no projection listens yet, the neurons never spike, or they already emit it.
        """
        rules = [p.rule for p in self.projections.values() if p.rule is not None]
        # A signal that nobody hears is most likely misspelt.
        valid = list(dict.fromkeys(signal for rule in rules for signal in rule.signals))
        if not isinstance(name, str) or name not in valid:
            raise NetworkError(
                f"signal: {describe_unknown('signal', name, valid)} Add the projection first whose "
                "rule has a handler of this name."
            )
        view = self._view(source, "signal")
        # Called for its error about neurons that never spike.
        probe_neurons(view, "spikes", 1)
        if any(s.name == name and s.view.population is view.population for s in self.signals):
            raise NetworkError(
                f"signal: spikes of {view.name!r} emit {name!r} already, expected each once. "
                "Name all its neurons in one view."
            )
        self.signals.append(SpikeSignal(name, view))

    def owners(self) -> Mapping[str, Population | Projection | Drive]:
        """Return populations, projections and drives by name, in this order."""
        # Names are unique across all three, so no entry hides another. A view of the three, since
        # a dictionary of its own for each new name would take time for each name before.
        names: ChainMap[str, Any] = ChainMap(self.drives, self.projections, self.populations)
        return names

    def _require_free(self, name: str, noun: str, *, more: str = "") -> None:
        """Raise unless a name is well-formed, `more` being further characters, and not in use."""
        _require_identifier(name, noun, more)
        if name in self.owners():
            raise NetworkError(
                f"{noun} {name!r}: the name is in use in network {self.name!r}. "
                "Choose another with name=..., every name once."
            )

    def _free_name(self, *names: str) -> str:
        """Return the first name that is not in use; if all are, the last one with a number."""
        owners = self.owners()
        # From 2: the one without a number is the first.
        numbered = (f"{names[-1]}:{number}" for number in count(2))
        return next(name for name in chain(names, numbered) if name not in owners)

    def _view(self, owner: object, end: str) -> View:
        """Return a population or view of this network as a view."""
        view = owner.view if isinstance(owner, Population) else owner
        if not isinstance(view, View):
            raise NetworkError(
                f"{end}: found {describe(owner)}, expected a population of this network or a view "
                "of one. Give what net.population returned."
            )
        # By identity, because another network may have a population of this name.
        if self.populations.get(view.name) is not view.population:
            raise NetworkError(
                f"{end}: population {view.name!r} belongs to another network. "
                f"Use one of: {', '.join(self.populations)}."
            )
        return view

    def _view_at_spikes(
        self,
        owner: object,
        at: object,
        every: Time | None,
        *,
        edges: ArrayLike | None,
    ) -> View:
        """Return the neurons of which variables are recorded at their spikes."""
        if not isinstance(at, str) or at != "spikes":
            raise NetworkError(
                f"record: found at={describe(at)}, expected at='spikes'. "
                "Leave it out for samples at intervals."
            )
        if isinstance(owner, Projection):
            raise NetworkError(
                f"record: found at='spikes' for projection {owner.name!r}, expected it for a "
                "population or view. Record edges at intervals."
            )
        if every is not None or edges is not None:
            option = "edges" if every is None else "every"
            raise NetworkError(
                f"record: found {option}= with at='spikes', expected one of them. "
                f"Leave out {option}, or record in two calls."
            )
        return self._view(owner, "record")

    def _probe(
        self,
        owner: object,
        variable: str,
        every: Time | None,
        edges: ArrayLike | None,
    ) -> Probe:
        steps = 1
        if every is not None:
            interval = read_duration(every, where="record, every")
            steps = int(to_steps(interval, self.dt, where="record: every"))
        if isinstance(owner, Projection):
            if self.projections.get(owner.name) is not owner:
                raise NetworkError(
                    f"record: projection {owner.name!r} belongs to another network, "
                    f"expected one of network {self.name!r}. Add it there."
                )
            return probe_edges(owner, variable, steps, edges=edges)
        view = self._view(owner, "record")
        if edges is not None:
            raise NetworkError(
                f"record: found edges= for population {view.name!r}, expected it for projections "
                "only. Record a view of the population."
            )
        return probe_neurons(view, variable, steps)


def _require_identifier(name: object, noun: str, more: str = "") -> None:
    # Names become keys of random streams and of files, hence ASCII.
    pattern = rf"[A-Za-z][\w{re.escape(more)}-]*"
    if not isinstance(name, str) or not re.fullmatch(pattern, name, re.ASCII):
        extra = f" or one of {' '.join(more)}" if more else ""
        raise NetworkError(
            f"{noun} name: found {describe(name)}, expected letters, digits, '_' or '-'{extra}, "
            "beginning with a letter. Choose another name."
        )


def _require_title(name: object) -> None:
    # Exported scripts and pictures show it: without quotes and line ends it stays one line of text.
    if not isinstance(name, str) or not re.fullmatch(
        r"[A-Za-z]([\w .,:;()+&=/-]*[\w)])?", name, re.ASCII
    ):
        raise NetworkError(
            f"network name: found {describe(name)}, expected letters, digits, spaces or one of "
            "_ - . , : ; ( ) + & = /, beginning with a letter. Choose another name."
        )


def _read_positions(positions: Quantity, size: int, where: str) -> np.ndarray:
    """Return positions in um, (N, 3)."""
    # A copy: the user's array may change later.
    sites = np.array(
        to_engine(positions, unit("um"), where=f"{where}, positions", error=NetworkError),
        np.float64,
    )
    if sites.shape not in ((size, 2), (size, 3)) or not np.isfinite(sites).all():
        raise NetworkError(
            f"{where}: found positions of shape {sites.shape}, expected ({size}, 3), all finite. "
            f"Reshape them. Neurons in a plane may have ({size}, 2)."
        )
    # Neurons in a plane have z = 0.
    return np.pad(sites, ((0, 0), (0, 3 - sites.shape[1])))


def _evaluate_texts(projection: Projection, seed: int, dt: float) -> dict[str, np.ndarray]:
    """Return the values of texts; raise if one is none that an edge can have."""
    where = f"projection {projection.name!r} ({projection.source.name} -> {projection.target.name})"
    evaluated = projection.evaluate_texts(seed)
    for name in evaluated.keys() & {"delay", "back"}:
        steps_where = f"{where}: {name}"
        to_steps(evaluated[name], dt, where=steps_where, rounded=projection.round_delays)
    # Arrays of the user are in the order of the connector, texts in that of neurons.
    arrays = {n for n, value in projection.values.items() if isinstance(value, np.ndarray)}
    if projection.rule is not None and not any(
        p.per == "edge" and p.name in arrays for p in projection.rule.parameters
    ):
        values = projection.values | evaluated
        require_rule_coefficients(
            projection, values, of_cells=described_value, where=where, changed=evaluated
        )
    return evaluated


def _require_one_meaning(
    own: Sequence[State | Constant],
    arguments: Mapping[str, object],
    *,
    where: str,
    owner: str,
) -> None:
    """Refuse an argument that is given and has the name of a variable or parameter."""
    for name in {part.name for part in own} & arguments.keys():
        if arguments[name] is not None:
            raise NetworkError(
                f"{where}: found {name}=, which is an argument of this call and a name of {owner}, "
                f"expected one meaning. Rename it in the {owner}."
            )


def _require_known(values: Iterable[str], rule: Rule | None, where: str) -> None:
    """Refuse the value of no name of a rule that looks like an argument of the call."""
    own = () if not isinstance(rule, Rule) else (*rule.variables, *rule.parameters)
    for name in set(values) - {part.name for part in own}:
        near = get_close_matches(name, _ARGUMENTS, n=1, cutoff=0.7)
        if near:
            raise NetworkError(
                f"{where}: found {name}=, expected an argument of net.project or a name of the "
                f"rule. Write {near[0]}=."
            )


def _unless_default(value: object, default: float) -> object:
    """Return an argument, or None if it was left out."""
    return None if isinstance(value, float) and value == default else value


def _require_rule(rule: object, where: str) -> None:
    if rule is not None and not isinstance(rule, Rule):
        raise NetworkError(
            f"{where}: found rule {describe(rule)}, expected a Rule. "
            "Make one with ns.Rule or neurosim.models.plasticity."
        )
