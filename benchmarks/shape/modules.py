"""The modules of a checkout, by their names, and the names that users call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# The folders of a checkout, and the packages as which setup.cfg installs them.
FOLDERS = {"neurosim": "neurosim", "models": "neurosim.models", "backends": "neurosim.backends"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One file of the checkout.

    Attributes
    ----------
    name : str
        As it is imported; of a package, its __init__.py.
    folder : str
        The folder of the checkout in which it lies, a key of `FOLDERS`.
    path : path
    """

    name: str
    folder: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        """The package in which the file lies."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def definitions(self) -> dict[str, Definition]:
        """Return the functions and classes at the top of the file."""
        return {node.name: node for node in self.tree.body if isinstance(node, DEFINITIONS)}

    def listed(self) -> list[str]:
        """Return the names in the file's ``__all__``."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return list(ast.literal_eval(node.value))
        return []

    def origin(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module from which a statement imports."""
        if not node.level:
            return node.module or ""
        parents = self.package.split(".")
        base = parents[: len(parents) - node.level + 1]
        return ".".join([*base, node.module] if node.module else base)


def read(root: Path) -> dict[str, Module]:
    """Return the modules of a checkout by name."""
    modules = {}
    for folder, package in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            inside = path.relative_to(root / folder).with_suffix("").parts
            if folder == "neurosim" and inside[0] in FOLDERS:
                continue  # a link to the folder beside it
            name = ".".join([package, *inside]).removesuffix(".__init__")
            modules[name] = Module(name, folder, path)
    return modules


def called_by_users(modules: dict[str, Module]) -> set[Definition]:
    """Return functions and classes that users call.

    These are the public names of neurosim, the functions of its public modules, and all public
    functions and classes of `models`: of a file there, or in the ``__all__`` of a package.
    """
    face = modules["neurosim"]
    definitions = set()
    for name in face.listed():
        definitions |= set(_resolve(modules, face, name))
    for module in modules.values():
        if module.package == "neurosim.models":
            definitions |= {node for name, node in module.definitions().items() if name[0] != "_"}
        elif module.name == module.package and module.folder == "models":
            for name in module.listed():
                definitions |= set(_resolve(modules, module, name))
    return definitions


def _resolve(modules: dict[str, Module], module: Module, name: str) -> Iterator[Definition]:
    """Yield what a name of a module stands for: one definition, or all of a public module."""
    definition = module.definitions().get(name)
    if definition is not None:
        yield definition
        return
    for node in module.tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                yield from _imported(modules, module.origin(node), alias.name)


def _imported(modules: dict[str, Module], origin: str, name: str) -> Iterator[Definition]:
    below = modules.get(f"{origin}.{name}")
    if below is None:
        if origin in modules:
            yield from _resolve(modules, modules[origin], name)
        return
    for public in below.listed() or [n for n in below.definitions() if n[0] != "_"]:
        yield from _resolve(modules, below, public)
