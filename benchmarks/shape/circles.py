"""Circles of imports: of files, and of packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .modules import Module

Graph = Mapping[str, set[str]]


def of_files(modules: dict[str, Module]) -> list[list[str]]:
    """Return groups of files that import each other in a circle.

    Imports inside functions and those for type checkers count: what needs another's types knows it.
    """
    return circles(_graph(modules))


def of_packages(modules: dict[str, Module]) -> list[list[str]]:
    """Return groups of packages that import each other in a circle.

    A file that lies beside packages, such as neurosim/errors.py, is a unit of its own.
    """
    parents = {module.package.rpartition(".")[0] for module in modules.values()}
    units = {
        module.name: module.name if module.package in parents else module.package
        for module in modules.values()
    }
    graph: dict[str, set[str]] = {unit: set() for unit in units.values()}
    for name, targets in _graph(modules).items():
        graph[units[name]] |= {units[target] for target in targets} - {units[name]}
    return circles(graph)


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of more than one node that all reach each other."""
    reached = {node: _reachable(graph, node) for node in graph}
    groups = {
        tuple(sorted({node} | {other for other in reached[node] if node in reached[other]}))
        for node in graph
    }
    return [list(group) for group in sorted(groups) if len(group) > 1]


def _reachable(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for target in graph[waiting.pop()] - reached:
            reached.add(target)
            waiting.append(target)
    return reached


def _graph(modules: dict[str, Module]) -> dict[str, set[str]]:
    return {
        name: {target for target in _imports(modules, module) if target in modules} - {name}
        for name, module in modules.items()
    }


def _imports(modules: dict[str, Module], module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = module.origin(node)
            for alias in node.names:
                below = f"{origin}.{alias.name}"
                yield below if below in modules else origin
