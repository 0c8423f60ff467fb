"""The compiled functions of the language under the names by which printed source calls them."""

from __future__ import annotations

from neurosim.compiled.functions import FUNCTIONS, compiled

__all__ = [
    "abs",
    "arctan",
    "ceil",
    "clip",
    "compiled",
    "cos",
    "exp",
    "expm1_ratio",
    "exprel",
    "floor",
    "int",
    "log",
    "log10",
    "max",
    "min",
    "mod",
    "pow",
    "quotient",
    "round",
    "sign",
    "sin",
    "sqrt",
    "tanh",
    "where",
]

# One assignment per name and no loop over the table: printed source imports these by name, and
# linters see that they exist.
exp = FUNCTIONS["exp"]
log = FUNCTIONS["log"]
pow = FUNCTIONS["pow"]
sqrt = FUNCTIONS["sqrt"]
cos = FUNCTIONS["cos"]
sin = FUNCTIONS["sin"]
tanh = FUNCTIONS["tanh"]
floor = FUNCTIONS["floor"]
abs = FUNCTIONS["abs"]
min = FUNCTIONS["min"]
max = FUNCTIONS["max"]
clip = FUNCTIONS["clip"]
where = FUNCTIONS["where"]
expm1_ratio = FUNCTIONS["expm1_ratio"]
exprel = FUNCTIONS["exprel"]
log10 = FUNCTIONS["log10"]
arctan = FUNCTIONS["arctan"]
sign = FUNCTIONS["sign"]
ceil = FUNCTIONS["ceil"]
round = FUNCTIONS["round"]
int = FUNCTIONS["int"]
mod = FUNCTIONS["mod"]
quotient = FUNCTIONS["quotient"]
