"""The compiled functions of the language under the names by which printed source calls them."""

from __future__ import annotations

from neurosim.compiled.functions import FUNCTIONS, compiled

__all__ = [
    "abs",
    "clip",
    "compiled",
    "cos",
    "exp",
    "expm1_ratio",
    "floor",
    "log",
    "max",
    "min",
    "pow",
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
