"""Which public functions of three or more arguments say in their docstrings what these are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .modules import Definition, Module

LEAST = 3
SECTION = re.compile(r"^\s*(Parameters|Attributes)\n\s*-{3,}", re.MULTILINE)


@dataclass(frozen=True)
class Explained:
    """How one function or class is documented.

    Attributes
    ----------
    module, name : str
        The name has the module in front.
    folder : str
        Of the checkout.
    users : bool
        Whether users call it.
    explained : bool
        Whether its docstring has a section Parameters, or Attributes of a dataclass.
    """

    module: str
    name: str
    folder: str
    users: bool
    explained: bool


def explained(module: Module, users: set[Definition]) -> Iterator[Explained]:
    """Yield the public functions, methods and constructors with `LEAST` or more arguments.

    Not counted: names that begin with an underscore, in a module, class or function of such a
    name, functions inside functions, and ``self`` and ``cls``. A constructor is counted of the
    classes that users call alone.
    """
    if any(part.startswith("_") for part in module.name.split(".")):
        return
    for name, node in module.definitions().items():
        if name.startswith("_"):
            continue
        called = node in users
        for inner, definition in _parts(name, node, called):
            if _arguments(definition) >= LEAST:
                sections = SECTION.search(_docstring(definition)) is not None
                full = f"{module.name}.{inner}"
                yield Explained(module.name, full, module.folder, called, sections)


def _parts(name: str, node: Definition, called: bool) -> Iterator[tuple[str, Definition]]:
    if not isinstance(node, ast.ClassDef):
        yield name, node
        return
    if called:
        yield name, node
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            yield f"{name}.{method.name}", method


def _docstring(node: Definition) -> str:
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.ClassDef):
        constructor = _constructor(node)
        text += "\n" + (ast.get_docstring(constructor) or "" if constructor else "")
    return text


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            return method
    return None


def _arguments(node: Definition) -> int:
    """Return the number of arguments; of a dataclass, of its fields."""
    if isinstance(node, ast.ClassDef):
        constructor = _constructor(node)
        if constructor is None:
            return sum(isinstance(line, ast.AnnAssign) for line in node.body)
        node = constructor
    arguments = node.args
    names = [
        argument.arg for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    ]
    more = (arguments.vararg is not None) + (arguments.kwarg is not None)
    return len(names) - (names[:1] in (["self"], ["cls"])) + more
