"""Names of cells and rules, and their sets of named values: sides, triggers, actions, methods."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from ..errors import ModelError, describe

Side = Literal["edge", "pre", "post"]
"""The owner of a variable of a rule: each edge, each source neuron or each target neuron."""

Domain = Literal["edge", "pre", "post", "one"]
"""How many values a name has at an edge: those of a `Side`, or one for the whole projection."""

Per = Literal["source", "target", "edge"]
"""The neurons or edges for each of which a parameter of a rule has a value of its own."""

Event = Literal["pre", "post", "step"]
"""The triggers of handlers that are no signals."""

Action = Literal["assign", "sum", "deliver", "compute", "add_to_cell", "assign_cell"]
"""The effect of a bound statement.

It assigns, adds up edges in a neuron, adds to the port, or computes a value that only later
statements of the same integration read. The last two change a state of the cell at one end, of all
neurons with an active edge: by the sum over these edges, or to one value per neuron.
"""

Role = Literal["variable", "parameter", "link", "cell", "word"]
"""The meaning of a name of a rule; ``cell``: a state or parameter of the cell at one end."""

Method = Literal[
    "exact", "midpoint", "exponential_euler", "euler", "milstein", "heun", "rk4", "adaptive"
]
"""The integration methods."""

# Checks and messages need the names as values, in this order.
PERS: tuple[Per, ...] = get_args(Per)
EVENTS: tuple[Event, ...] = get_args(Event)
METHODS: tuple[Method, ...] = get_args(Method)
# Edges are too many for sub-steps of their own.
RULE_METHODS = tuple(method for method in METHODS if method != "adaptive")

_ORDERS: dict[str, str] = {
    "midpoint": "second order",
    "exponential_euler": "first order",
    "euler": "first order",
    "milstein": "first order, of each path too",
    "heun": "second order",
    "rk4": "fourth order",
    "adaptive": "fifth order, in sub-steps",
}

_LONGEST_TITLE = 100  # characters; titles begin messages and names of files


def describe_method(method: str) -> str:
    """Return a method in words, with the order in dt of its error after a given time.

    Parameters
    ----------
    method : str
        One of ``METHODS``.
    """
    order = f" ({_ORDERS[method]})" if method in _ORDERS else ""
    return method.replace("_", " ") + order


def require_title(title: Any, noun: str) -> None:
    """Refuse the name of a cell or rule that could be more than a name where it is printed.

    Parameters
    ----------
    title : str
    noun : str
        The thing that has the name, for messages: ``cell``.

    Raises
    ------
    ModelError
    """
    # Names stand in generated code, in scripts, in Markdown and in names of files: no character
    # that ends a text, a line or a formula there is one of a name.
    characters = r"[A-Za-z][\w .,:+()/-]*"
    fits = isinstance(title, str) and len(title) <= _LONGEST_TITLE
    if not fits or not re.fullmatch(characters, title, re.ASCII):
        raise ModelError(
            f"{noun} name: found {describe(title)}, expected at most {_LONGEST_TITLE} letters "
            "without accents, digits, spaces or one of _ - . , : + ( ) /, beginning with a letter. "
            "Choose another name."
        )
