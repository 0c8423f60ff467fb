"""Files of NIR: written by its package, and read as data that may be wrong or hostile."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from neurosim.backend.free_memory import available
from neurosim.errors import NetworkError
from neurosim.recording.files import write_atomically

from .graph import FIELDS, OPTIONAL, Graph, Node

# A file that claims more nodes or edges is taken for damaged or hostile.
_MOST_NODES = 100_000
_MOST_EDGES = 1_000_000
_DEEPEST = 8  # graphs within graphs
_INTEGERS = ("shape", "stride", "padding", "dilation", "groups", "kernel_size", "input_shape",
          "start_dim", "end_dim", "input_type")  # fmt: skip


def write(path: Path, graph: Graph) -> None:
    """Write a graph.

    Parameters
    ----------
    path : path
        Of the file.
    graph : Graph

    Raises
    ------
    NetworkError
        If the system refuses the file; nothing is left behind then.
    """
    nir: Any = import_module("nir")

    nodes = {name: _as_nir(node) for name, node in graph.nodes.items()}
    # Shapes are ours; its inference knows square kernels alone.
    content = nir.NIRGraph(nodes, list(graph.edges), type_check=False)
    # HDF5 reads again what it has written, which the file that is then written whole cannot do.
    data = io.BytesIO()
    nir.write(data, content)
    write_atomically(path, lambda file: file.write(data.getbuffer()))


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
                arrays[name] = tuple(map(int, arrays[name]))
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
    except NetworkError:
        raise  # it says already what is wrong
    # Of h5py: no HDF5 at all, or damaged within.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise NetworkError(
            f"{where}: found a file that cannot be read ({error}), expected one of NIR, which is "
            "HDF5. Write it again with nir.write."
        ) from error


class _Reader:
    """Reads one file; every problem is an error that begins with `where`."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = available()

    def graph(self, file: Any) -> Graph:
        """Return the graph in an open file."""
        root = self._group(file, "node")
        node_type = self._text(root, "type")
        if node_type != "NIRGraph":
            self._fail(f"found a {node_type!r} at its root, expected a NIRGraph", "Write a graph.")
        return self._content(root, depth=0)

    def _content(self, root: Any, *, depth: int) -> Graph:
        """Return a graph in which the nodes of inner graphs stand in place of these graphs."""
        group = self._group(root, "nodes")
        if len(group) > _MOST_NODES:
            self._fail(f"found {len(group)} nodes, expected at most {_MOST_NODES}", "Split it.")
        nodes: dict[str, Node] = {}
        edges: list[tuple[str, str]] = []
        # By name, the nodes that edges to it reach, and those that edges from it leave.
        first: dict[str, list[str]] = {}
        last: dict[str, list[str]] = {}
        for name in group:
            node = self._group(group, name)
            if self._text(node, "type") != "NIRGraph":
                nodes[name] = self._node(node, name)
                first[name] = last[name] = [name]
                continue
            if depth == _DEEPEST:
                self._fail(f"found graphs within {depth} others, as {name!r}", "Write them out.")
            inner = self._content(node, depth=depth + 1)
            inside, begin, end = self._inner_ends(inner, name)
            nodes |= {f"{name}.{inner_name}": inner.nodes[inner_name] for inner_name in inside}
            for source, target in inner.edges:
                if source in inside and target in inside:
                    edges.append((f"{name}.{source}", f"{name}.{target}"))
            first[name] = [f"{name}.{inner_name}" for inner_name in begin]
            last[name] = [f"{name}.{inner_name}" for inner_name in end]
        for source, target in self._edges(root, first):
            edges += itertools.product(last[source], first[target])
        return Graph(nodes, tuple(dict.fromkeys(edges)))

    def _inner_ends(self, inner: Graph, name: str) -> tuple[set[str], list[str], list[str]]:
        """Return the nodes of a graph within another, and the first and last of them."""
        inputs = [key for key, node in inner.nodes.items() if node.type == "Input"]
        outputs = [key for key, node in inner.nodes.items() if node.type == "Output"]
        inside = inner.nodes.keys() - {*inputs, *outputs}
        if len(inputs) != 1 or len(outputs) != 1:
            self._fail(
                f"the graph {name!r} has {len(inputs)} inputs and {len(outputs)} outputs, expected "
                "one of each within another graph",
                "Write it out.",
            )
        begin = inner.after(inputs[0])
        end = inner.before(outputs[0])
        if not inside.issuperset(begin + end):
            self._fail(f"the input of the graph {name!r} is its output", "Remove the graph.")
        return inside, begin, end

    def _node(self, node: Any, name: str) -> Node:
        node_type = self._text(node, "type")
        if node_type not in FIELDS:
            self._fail(
                f"node {name!r} is a {node_type}, expected one of {', '.join(FIELDS)}",
                "Other nodes have no counterpart here.",
            )
        arrays = {field: self._array(node, field, name) for field in FIELDS[node_type]}
        for field in OPTIONAL.get(node_type, ()):
            if field in node:
                arrays[field] = self._array(node, field, name)
        return Node(node_type, arrays)

    def _edges(self, root: Any, nodes: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        import h5py

        data = self._dataset(root, "edges", "the graph")
        if data.shape and data.shape[0] == 0:
            return ()
        if len(data.shape) != 2 or data.shape[1] != 2 or data.shape[0] > _MOST_EDGES:
            self._fail(
                f"found edges of shape {data.shape}, expected (E, 2) of at most {_MOST_EDGES}",
                "Correct it.",
            )
        if h5py.check_string_dtype(data.dtype) is None:
            self._fail(f"found edges of type {data.dtype}, expected names", "Correct it.")
        edges = []
        for source, target in data.asstr()[()]:
            for name in (source, target):
                if name not in nodes:
                    self._fail(f"an edge names {name!r}, expected one of the nodes", "Correct it.")
            edges.append((str(source), str(target)))
        # Edges of a graph are a set: one that is listed twice is one.
        return tuple(dict.fromkeys(edges))

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

        # A link whose end is missing is among the keys, but not `in` its parent.
        if name not in parent and name not in parent.keys():
            self._fail(f"{owner} has no {name!r}", "Write it again with nir.write.")
        # Asked for as a link, since reading the child would follow it.
        link = parent.get(name, getlink=True)
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
        if field == "padding" and data.shape == () and data.dtype.kind in "OS":
            return self._named_padding(node, name)
        holds_integers = field in _INTEGERS
        letters, expected = ("iu", "whole numbers") if holds_integers else ("iuf", "numbers")
        if data.dtype.kind not in letters:
            self._fail(f"{field} of {owner} is {data.dtype}, expected {expected}", "Correct it.")
        values = np.asarray(data[()])
        if holds_integers:
            return values.astype(np.int64)
        # One NaN would spread through the whole network, and be noticed far from here.
        if not np.isfinite(values).all():
            self._fail(f"{field} of {owner} is not finite, expected numbers", "Correct it.")
        return values.astype(np.float64)

    def _named_padding(self, node: Any, name: str) -> np.ndarray:
        """Return the padding that a word means for the kernel of a node."""
        word = self._text(node, "padding")
        if word == "valid":
            return np.zeros(2, np.int64)
        kernel = np.array(self._array(node, "weight", name).shape[2:])
        extent = (kernel - 1) * self._array(node, "dilation", name)
        has_no_middle = bool(np.any(extent % 2))
        skips_cells = bool(np.any(self._array(node, "stride", name) != 1))
        if word != "same" or has_no_middle or skips_cells:
            self._fail(
                f"padding of node {name!r} is {word!r}, expected numbers, 'valid', or 'same' for a "
                "stride of 1 and a kernel with a middle",
                "Write numbers.",
            )
        return (extent // 2).astype(np.int64)

    def _fail(self, problem: str, remedy: str) -> NoReturn:
        raise NetworkError(f"{self._where}: {problem}. {remedy}")
