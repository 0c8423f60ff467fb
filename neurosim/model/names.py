"""The sets of named values of cells and rules: sides, triggers, actions of statements, methods."""

from __future__ import annotations

from typing import Literal, get_args

Side = Literal["edge", "pre", "post"]
"""The owner of a variable of a rule: each edge, each source neuron or each target neuron."""

Domain = Literal["edge", "pre", "post", "one"]
"""How many values a name has at an edge: those of a `Side`, or one for the whole projection."""

Per = Literal["source", "target", "edge"]
"""What a parameter of a rule has one value for each of, unless it has one value in all."""

Event = Literal["pre", "post", "step"]
"""The triggers of handlers that are no signals."""

Action = Literal["assign", "sum", "deliver"]
"""What a bound statement does: assigns, adds edges into one neuron, or adds to the port."""

Role = Literal["variable", "parameter", "link", "cell", "word"]
"""What a name of a rule stands for; ``cell``: a state or parameter of the cell at one end."""

Method = Literal["exact", "exponential_euler", "euler", "heun", "rk4"]
"""The integration methods."""

PERS: tuple[Per, ...] = get_args(Per)
EVENTS: tuple[Event, ...] = get_args(Event)
METHODS: tuple[Method, ...] = get_args(Method)
