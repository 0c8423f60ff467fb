"""Files of NIR: written by its package, and read as data that may be wrong or hostile."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from neurosim.backend.free_memory import available
from neurosim.errors import NetworkError

from .graph import FIELDS, OPTIONAL, Graph, Node

# A file that claims more nodes or edges is taken for damaged or hostile.
_MOST_NODES = 100_000
_MOST_EDGES = 1_000_000
_WHOLE = ("shape", "stride", "padding", "dilation", "groups", "kernel_size", "input_shape",
          "start_dim", "end_dim", "input_type")  # fmt: skip


def write(path: Path, graph: Graph) -> None:
    """Write a graph.

    Parameters
    ----------
    path : path
        Of the file.
    graph : Graph
    """
    nir: Any = import_module("nir")

    nodes = {name: _as_nir(node) for name, node in graph.nodes.items()}
    # Shapes are ours; its inference knows square kernels alone.
    nir.write(path, nir.NIRGraph(nodes, list(graph.edges), type_check=False))


def _as_nir(node: Node) -> Any:
    nir: Any = import_module("nir")

    arrays: dict[str, Any] = dict(node.arrays)
    match node.type:
        case "Input":
            return nir.Input(input_type={"input": arrays["shape"]})
        case "Output":
            return nir.Output(output_type={"output": arrays["shape"]})
        case "Flatten":
            shape = {"input": arrays["input_type"]}
            return nir.Flatten(shape, int(arrays["start_dim"]), int(arrays["end_dim"]))
        case "Conv2d":
            arrays |= {"groups": int(arrays["groups"])}
            for name in ("input_shape", "stride", "padding", "dilation"):
                arrays[name] = tuple(int(n) for n in arrays[name])
    return getattr(nir, node.type)(**arrays)


def read(path: Path) -> Graph:
    """Return the graph of a file.

    Nothing in the file is executed, no link is followed, and its arrays are checked before they
    are read.

    Parameters
    ----------
    path : path

    Raises
    ------
    NetworkError
        If it is no such file, or holds a graph that is malformed, too large or of other nodes.
    """
    import h5py

    where = f"from_nir {path}"
    if not path.is_file():
        raise NetworkError(f"{where}: there is no such file, expected one of NIR. Give its path.")
    try:
        with h5py.File(path, "r") as file:
            return _Reader(where).graph(file)
    # Of h5py: no HDF5 at all, or damaged within.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise NetworkError(
            f"{where}: found a file that cannot be read ({error}), expected one of NIR, which is "
            "HDF5. Write it again with nir.write."
        ) from error


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self._left = available()

    def graph(self, file: Any) -> Graph:
        """Return the graph in an open file."""
        root = self._group(file, "node")
        node_type = self._text(root, "type")
        if node_type != "NIRGraph":
            self._fail(f"found a {node_type!r} at its root, expected a NIRGraph", "Write a graph.")
        group = self._group(root, "nodes")
        if len(group) > _MOST_NODES:
            self._fail(f"found {len(group)} nodes, expected at most {_MOST_NODES}", "Split it.")
        nodes = {name: self._node(group, name) for name in group}
        return Graph(nodes, self._edges(root, nodes))

    def _node(self, group: Any, name: str) -> Node:
        node = self._group(group, name)
        node_type = self._text(node, "type")
        if node_type not in FIELDS:
            self._fail(
                f"node {name!r} is a {node_type}, expected one of {', '.join(FIELDS)}",
                "Nested graphs must be written out; other nodes have no counterpart here.",
            )
        arrays = {field: self._array(node, field, name) for field in FIELDS[node_type]}
        for field in OPTIONAL.get(node_type, ()):
            if field in node:
                arrays[field] = self._array(node, field, name)
        return Node(node_type, arrays)

    def _edges(self, root: Any, nodes: Mapping[str, Node]) -> tuple[tuple[str, str], ...]:
        import h5py

        data = self._dataset(root, "edges", "the graph")
        if not data.shape or data.shape[0] > _MOST_EDGES or data.shape[1:] not in ((2,), ()):
            self._fail(f"found edges of shape {data.shape}, expected (E, 2)", "Correct it.")
        if data.shape[0] == 0:
            return ()
        if h5py.check_string_dtype(data.dtype) is None:
            self._fail(f"found edges of type {data.dtype}, expected names", "Correct it.")
        edges = []
        for source, target in data.asstr()[()]:
            for name in (source, target):
                if name not in nodes:
                    self._fail(f"an edge names {name!r}, expected one of the nodes", "Correct it.")
            edges.append((str(source), str(target)))
        return tuple(edges)

    # ---- checked access

    def _group(self, parent: Any, name: str) -> Any:
        import h5py

        child = self._child(parent, name, "the file")
        if not isinstance(child, h5py.Group):
            self._fail(f"{name!r} is no group", "Write it again with nir.write.")
        return child

    def _dataset(self, parent: Any, name: str, owner: str) -> Any:
        import h5py

        child = self._child(parent, name, owner)
        if not isinstance(child, h5py.Dataset):
            self._fail(f"{name!r} of {owner} is no array", "Write it again with nir.write.")
        # HDF5 can read other files of the machine in place of its own data.
        if child.external or child.is_virtual:
            self._fail(
                f"{name!r} of {owner} lies in another file, expected all in one",
                "Write it again with nir.write.",
            )
        # Before anything is read: compressed arrays may be far larger than the file.
        size = child.size
        if size is None:
            self._fail(f"{name!r} of {owner} is empty", "Write it again with nir.write.")
        self._left -= size * max(child.dtype.itemsize, 1)
        if self._left < 0:
            self._fail(f"{name!r} of {owner} does not fit into memory", "Use a larger machine.")
        return child

    def _child(self, parent: Any, name: str, owner: str) -> Any:
        import h5py

        # Asked for as a link, since reading the child would follow it.
        link = parent.get(name, getlink=True) if name in parent or name in parent.keys() else None
        if link is None:
            self._fail(f"{owner} has no {name!r}", "Write it again with nir.write.")
        if not isinstance(link, h5py.HardLink):
            self._fail(
                f"{name!r} of {owner} is a link elsewhere, expected data",
                "Write it again with nir.write.",
            )
        return parent[name]

    def _text(self, parent: Any, name: str) -> str:
        import h5py

        data = self._dataset(parent, name, parent.name)
        if data.shape != () or h5py.check_string_dtype(data.dtype) is None:
            self._fail(f"{name!r} of {parent.name} is no text", "Write it again with nir.write.")
        return str(data.asstr()[()])

    def _array(self, node: Any, field: str, name: str) -> np.ndarray:
        owner = f"node {name!r}"
        data = self._dataset(node, field, owner)
        whole = field in _WHOLE
        if data.dtype.kind not in ("iu" if whole else "iuf"):
            expected = "whole numbers" if whole else "numbers"
            self._fail(f"{field} of {owner} is {data.dtype}, expected {expected}", "Correct it.")
        values = np.asarray(data[()])
        # One NaN would spread through the whole network, and be noticed far from here.
        if not whole and not np.isfinite(values).all():
            self._fail(f"{field} of {owner} is not finite, expected numbers", "Correct it.")
        return values.astype(np.int64 if whole else np.float64)

    def _fail(self, problem: str, remedy: str) -> NoReturn:
        raise NetworkError(f"{self._where}: {problem}. {remedy}")
