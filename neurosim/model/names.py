"""The sets of named values of cells and rules: sides, triggers, actions of statements, methods."""

from __future__ import annotations

from typing import Literal, get_args

Side = Literal["edge", "pre", "post"]
"""The owner of a variable of a rule: each edge, each source neuron or each target neuron."""

Domain = Literal["edge", "pre", "post", "one"]
"""How many values a name has at an edge: those of a `Side`, or one for the whole projection."""

Per = Literal["source", "target", "edge"]
"""The neurons or edges for each of which a parameter of a rule has a value of its own."""

Event = Literal["pre", "post", "step"]
"""The triggers of handlers that are no signals."""

Action = Literal["assign", "sum", "deliver"]
"""The effect of a bound statement: it assigns, adds up edges in a neuron, or adds to the port."""

Role = Literal["variable", "parameter", "link", "cell", "word"]
"""The meaning of a name of a rule; ``cell``: a state or parameter of the cell at one end."""

Method = Literal["exact", "exponential_euler", "euler", "heun", "rk4"]
"""The integration methods."""

# Checks and messages need the names as values, in this order.
PERS: tuple[Per, ...] = get_args(Per)
EVENTS: tuple[Event, ...] = get_args(Event)
METHODS: tuple[Method, ...] = get_args(Method)
