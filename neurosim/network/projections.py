"""Projections and Poisson drives, which add input to the ports of a population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws.streams import Stream, user_stream
from ..errors import NetworkError, describe, describe_unknown
from ..model.binding import BoundRule
from ..model.declarations import Constant, State
from ..model.rule import Rule
from .edges import Connector, EdgeCount, Edges
from .populations import View
from .references import Reference
from .wiring.pair_texts import PairText
from .wiring.pairs import Box


@dataclass(frozen=True, eq=False)
class Projection:
    """Edges from one population to another; `Network.project` returns it.

    ``projection["x"]`` refers to a pre or post variable or a parameter of the rule, for links of
    later rules.

    Attributes
    ----------
    name : str
    source, target : View
    connector : Connector
    weight : number, (E,) array, draw, `Shared`, `PairText` or None, in the unit of the port
        The initial ``w`` of a rule; None: the rule has none.
    delay : number, (E,) array, draw or `PairText`, ms
    dendritic_fraction : float (1)
        Part of the delay between synapse and soma.
    back : number, (E,) array, draw, `PairText` or None, ms
        From a spike of the target to the synapse; None: the dendritic part of the delay.
    round_delays : bool
        Whether delays are rounded to whole steps.
    same_step : bool
        Whether the target feels spikes in the step in which they are emitted.
    port : str or None
        None: the rule delivers nothing.
    rule : Rule or None
        None: weights stay as they are.
    bound : BoundRule or None
        The rule between these two cells.
    links : dict
        The value that each link of the rule reads, by symbol.
    values : dict
        Parameters and variables of the rule by name, in engine units.
    box : three floats, um, or None
        Lengths after which space repeats; see `Pairs`.
    """

    name: str
    source: View
    target: View
    connector: Connector
    weight: Any
    delay: Any
    dendritic_fraction: float
    back: Any
    round_delays: bool
    same_step: bool
    port: str | None
    rule: Rule | None
    bound: BoundRule | None
    links: dict[str, Reference]
    values: dict[str, Any]
    box: Box | None = None

    @property
    def recurrent(self) -> bool:
        """Whether source and target are neurons of one population."""
        return self.source.population is self.target.population

    def edge_count(self) -> EdgeCount:
        """Return the number of edges, as far as it is known before any draw."""
        return self.connector.count(len(self.source), len(self.target), recurrent=self.recurrent)

    def connect(self, seed: int) -> Edges:
        """Draw the edges.

        Parameters
        ----------
        seed : int
            Of the network.

        Returns
        -------
        Edges
            Positions count within the two views.

        Raises
        ------
        NetworkError
            If the connector cannot join these neurons, or returns no well-formed edges.
        """
        # Keyed by name, so that the edges stay the same if other projections are added or removed.
        stream = Stream(seed, f"{self.name}/edges")
        sources = self.source.indices
        targets = self.target.indices
        try:
            edges = self.connector.connect(stream, sources, targets, recurrent=self.recurrent)
            # Connectors may be the user's own: neither type nor contents of their answer are
            # certain.
            if not isinstance(edges, Edges):
                raise NetworkError(
                    f"{self.connector.show()}: connect returned {describe(edges)}, expected Edges. "
                    "Make them with ns.Edges.from_pairs."
                )
            if not edges.trusted:
                edges.check(sources.size, targets.size)
        except NetworkError as error:
            where = f"projection {self.name!r} ({self.source.name} -> {self.target.name})"
            raise NetworkError(f"{where}: {error}") from None
        return edges

    def declares(self, name: str) -> bool:
        """Return whether the rule has a variable or parameter of a name."""
        rule = self.rule
        return rule is not None and name in {
            part.name for part in (*rule.variables, *rule.parameters)
        }

    @property
    def written(self) -> bool:
        """Whether values of edges are written as text."""
        values = (self.weight, self.delay, self.back, *self.values.values())
        return any(isinstance(value, PairText) for value in values)

    def evaluate_texts(self, seed: int) -> dict[str, NDArray[np.float64]]:
        """Return the values that are text, (E,) each in engine units.

        Raises
        ------
        NetworkError
            If a value is not finite or too small, or the edges cannot be made.
        """
        edges = self.connect(seed)
        sources = self.source.indices
        targets = self.target.indices[edges.target]

        def evaluate(text: PairText, stream: Stream) -> NDArray[np.float64]:
            return text.at(stream, sources=sources, pointer=edges.pointer, targets=targets)

        own = {"weight": self.weight, "delay": self.delay, "back": self.back}
        streams = {name: Stream(seed, f"{self.name}/{name}") for name in own}
        # Preparing a run makes these values again, one after another.
        for name in self.values:
            streams[name] = user_stream(seed, self.name, name, of="projection")
        return {
            name: evaluate(value, streams[name])
            for name, value in (own | self.values).items()
            if isinstance(value, PairText)
        }

    def linkable(self) -> dict[str, tuple[State | Constant, str | None]]:
        """Return the values to which a link can refer, by name: declaration and layout.

        Layout: one value per "source", "target" or "edge"; None: one in all.
        """
        if self.rule is None:
            return {}
        # Variables of edges are missing: a link reads one value per neuron, or one in all.
        return {
            **{variable.name: (variable, "source") for variable in self.rule.pre},
            **{variable.name: (variable, "target") for variable in self.rule.post},
            **{parameter.name: (parameter, parameter.per) for parameter in self.rule.parameters},
        }

    def __getitem__(self, key: str) -> Reference:
        if not isinstance(key, str):
            raise NetworkError(
                f"projection {self.name!r}: found [{key!r}], expected the name of a variable: "
                "projections have no views. Record some of the edges with "
                "record(..., edges=[...]); set them all, with one value per edge."
            )
        valid = self.linkable()
        if key not in valid:
            owner = f"projection {self.name!r}"
            raise NetworkError(describe_unknown("pre or post variable", key, valid, owner=owner))
        return Reference(self, key)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.linkable())

    def __repr__(self) -> str:
        # Static projections are the usual case and need no mention.
        rule = f", rule {self.rule.name}" if self.rule else ""
        ends = f"{self.source.name} -> {self.target.name}"
        return f"<projection {self.name!r}: {ends}, {self.connector.show()}{rule}>"


@dataclass(frozen=True, eq=False)
class Drive:
    """Poisson counts added to a port in every step; `Network.poisson_drive` returns it.

    Attributes
    ----------
    name : str
    target : View
    port : str
    n : int
        Independent trains for each target.
    rate : number, (M,) array or draw, 1/ms
        Of each train.
    weight : number, (M,) array or draw, in the unit of the port
    """

    name: str
    target: View
    port: str
    n: int
    rate: Any
    weight: Any

    def __repr__(self) -> str:
        return f"<drive {self.name!r}: {self.n} Poisson trains -> {self.target.name}>"
