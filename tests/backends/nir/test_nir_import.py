"""Files of NIR as networks: the same spikes as Norse, the same graph again, bad files refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
nir = pytest.importorskip("nir")

import neurosim as ns  # noqa: E402

RNG = np.random.default_rng(3)
STEPS = 200


def whole(shape, value: float) -> np.ndarray:
    return np.full(shape, value)


def neurons(node_type: str, shape) -> Any:
    leaky = {"r": whole(shape, 1.0), "v_leak": whole(shape, 0.0)}
    spiking = {"v_threshold": whole(shape, 1.0), "v_reset": whole(shape, 0.0)}
    tau = RNG.uniform(0.01, 0.02, shape)
    current = {"tau_syn": whole(shape, 0.005), "tau_mem": tau, "w_in": whole(shape, 7.0)}
    return {
        "LIF": lambda: nir.LIF(tau=tau, **leaky, **spiking),
        "IF": lambda: nir.IF(r=whole(shape, 30.0), **spiking),
        "LI": lambda: nir.LI(tau=tau, **leaky),
        "I": lambda: nir.I(r=whole(shape, 2.0)),
        "CubaLIF": lambda: nir.CubaLIF(**current, **leaky, **spiking),
        "CubaLI": lambda: nir.CubaLI(**current, **leaky),
    }[node_type]()


def chain(*nodes: tuple[str, Any], loops: tuple = ()) -> Any:
    names = [name for name, _ in nodes]
    edges = [*zip(names[:-1], names[1:], strict=True), *loops]
    return nir.NIRGraph(dict(nodes), edges, type_check=False)


def shape_of(*numbers: int) -> np.ndarray:
    return np.array(numbers)


def single(node_type: str, *, affine: bool = False) -> Any:
    weight = RNG.normal(0.8, 2.0, (4, 3))
    linear = nir.Affine(weight, RNG.normal(size=4)) if affine else nir.Linear(weight)
    return chain(
        ("inputs", nir.Input(shape_of(3))),
        ("w", linear),
        ("n", neurons(node_type, (4,))),
        ("output", nir.Output(shape_of(4))),
    )


def images() -> Any:
    kernel = nir.Conv2d(
        input_shape=(6, 6), weight=RNG.normal(2.0, 6.0, (2, 1, 3, 3)), stride=1, padding=1,
        dilation=1, groups=1, bias=np.array([0.1, 0.2]),
    )  # fmt: skip
    pool = nir.SumPool2d(shape_of(2, 2), shape_of(2, 2), shape_of(0, 0))
    return chain(
        ("inputs", nir.Input(shape_of(1, 6, 6))),
        ("c", kernel),
        ("n", neurons("LIF", (2, 6, 6))),
        ("s", pool),
        ("m", neurons("LIF", (2, 3, 3))),
        ("w_flat", nir.Flatten({"input": shape_of(2, 3, 3)}, 0, -1)),
        ("w", nir.Linear(RNG.normal(3.0, 9.0, (4, 18)))),
        ("o", neurons("LIF", (4,))),
        ("output", nir.Output(shape_of(4))),
    )


def delayed() -> Any:
    graph = chain(
        ("inputs", nir.Input(shape_of(3))),
        ("w_delay", nir.Delay(whole(3, 0.004))),
        ("w", nir.Linear(RNG.normal(size=(4, 3)))),
        ("n", neurons("LIF", (4,))),
        ("output", nir.Output(shape_of(4))),
    )
    loop = {"back": nir.Linear(RNG.normal(size=(4, 4)))}
    edges = [*graph.edges, ("n", "back"), ("back", "n")]
    return nir.NIRGraph(graph.nodes | loop, edges, type_check=False)


def two_in_a_loop() -> Any:
    """Return two layers, of which the second feeds the first one back."""
    graph = chain(
        ("inputs", nir.Input(shape_of(3))),
        ("w", nir.Linear(RNG.normal(0.8, 3.0, size=(4, 3)))),
        ("n", neurons("LIF", (4,))),
        ("there", nir.Linear(RNG.normal(3.0, 4.0, size=(5, 4)))),
        ("m", neurons("LIF", (5,))),
        ("output", nir.Output(shape_of(5))),
    )
    back = {"back": nir.Linear(RNG.normal(1.0, 3.0, size=(4, 5)))}
    edges = [*graph.edges, ("m", "back"), ("back", "n")]
    return nir.NIRGraph(graph.nodes | back, edges, type_check=False)


GRAPHS = {
    **{node_type: single(node_type) for node_type in ("LIF", "IF", "LI", "I", "CubaLIF", "CubaLI")},
    "Affine": single("LIF", affine=True),
    "Affine with a current": single("CubaLIF", affine=True),
    "convolution and pool": images(),
    "delay and loop": delayed(),
    "two in a loop": two_in_a_loop(),
}


@pytest.fixture
def load(tmp_path):
    def write_and_load(graph: Any) -> ns.Network:
        nir.write(tmp_path / "graph.nir", graph)
        return ns.from_nir(tmp_path / "graph.nir", dt="1 ms")

    return write_and_load


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_returns_from_a_network_as_it_was(load, tmp_path, graph):
    again = nir.read(
        ns.export(load(graph), tmp_path / "again.nir", backend="nir"), type_check=False
    )
    assert again.nodes.keys() == graph.nodes.keys()
    assert sorted(again.edges) == sorted(graph.edges)
    for name, node in graph.nodes.items():
        assert type(again.nodes[name]) is type(node), name
        for field, value in node.to_dict().items():
            written = again.nodes[name].to_dict()[field]
            if isinstance(value, np.ndarray):
                assert written.shape == value.shape, (name, field)
                assert written == pytest.approx(value, rel=1e-15), (name, field)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_network_that_returned_from_a_file_spikes_as_before(load, tmp_path, graph):
    first = load(graph)
    second = ns.from_nir(ns.export(first, tmp_path / "again.nir", backend="nir"), dt="1 ms")
    assert (responses(first) == responses(second)).all()


def inputs(size: int) -> np.ndarray:
    """Return (STEPS, size) spikes, the same for equal sizes; the first step has none."""
    spikes = np.random.default_rng(size).random((STEPS, size)) < 0.2
    spikes[0] = False
    return spikes


def responses(net: ns.Network) -> np.ndarray:
    """Return spikes, or v, of the recorded population under the inputs, (STEPS, N)."""
    run = ns.prepare(net, backend="reference")
    step, index = np.nonzero(inputs(net.populations["inputs"].size))
    run.set("inputs", steps=(index, step))
    run.run(STEPS * 1.0, progress=False)
    (recording,) = (p for p in run.result().populations.values() if p.name != "inputs")
    if any(probe.variable == "v" for probe in net.probes):
        return recording.trace("v").values
    spikes = np.zeros((STEPS, recording.size), bool)
    spikes[recording.spikes.step, recording.spikes.index] = True
    return spikes


@pytest.mark.parametrize(
    "name", ["LIF", "CubaLIF", "Affine", "convolution and pool", "two in a loop"]
)
def test_norse_runs_the_file_and_gives_the_same_spikes(load, tmp_path, name):
    """In float32 there, so that a voltage at its threshold could differ; none is here."""
    torch = pytest.importorskip("torch")
    norse = pytest.importorskip("norse.torch", reason="norse is not installed")
    net = load(GRAPHS[name])
    path = ns.export(net, tmp_path / "again.nir", backend="nir")
    module = norse.from_nir(nir.read(path, type_check=False), dt=1e-3, ignore_warnings=True)
    shape = tuple(int(n) for n in GRAPHS[name].nodes["inputs"].output_type["output"])
    state, spikes = None, []
    for row in inputs(math.prod(shape)):
        z, state = module(torch.tensor(row, dtype=torch.float32).reshape(shape), state)
        spikes.append(z.detach().numpy().ravel() > 0)
    ours = responses(net)
    assert ours.any() and (np.array(spikes) == ours).all()


# ---- bad files

GOOD = single("LIF")


def broken(path, change) -> None:
    nir.write(path, GOOD)
    with h5py.File(path, "a") as file:
        change(file["node"])


def replace(group, name: str, value: object) -> None:
    del group[name]
    group[name] = value


def link_elsewhere(node) -> None:
    del node["nodes/n/tau"]
    node["nodes/n/tau"] = h5py.ExternalLink("/etc/passwd", "/secret")


def link_in_place(node) -> None:
    del node["nodes/n/tau"]
    node["nodes/n/tau"] = h5py.SoftLink("/node/nodes/n/r")


def huge(node) -> None:
    del node["nodes/w/weight"]
    node["nodes/w"].create_dataset("weight", (1 << 24, 1 << 24), "f8", compression="gzip")


BROKEN = {
    "another type": (lambda n: replace(n["nodes/n"], "type", "Izhikevich"), "is a Izhikevich"),
    "no graph": (lambda n: replace(n, "type", "LIF"), "expected a NIRGraph"),
    "a missing array": (lambda n: n["nodes/n"].pop("tau"), "has no 'tau'"),
    "text for numbers": (lambda n: replace(n["nodes/n"], "tau", "x"), "tau of node 'n' is"),
    "a negative time": (
        lambda n: replace(n["nodes/n"], "tau", np.full(4, -1.0)), "tau of node 'n' is not above 0",
    ),
    "not a number": (
        lambda n: replace(n["nodes/n"], "tau", np.full(4, np.nan)), "is not finite",
    ),
    "another shape": (
        lambda n: replace(n["nodes/n"], "tau", np.full(5, 0.1)), "expected one shape",
    ),
    "weights of another size": (
        lambda n: replace(n["nodes/w"], "weight", np.ones((4, 7))), "expected \\(outputs, 3\\)",
    ),
    "an edge to nothing": (
        lambda n: replace(n, "edges", [[b"inputs", b"nowhere"]]), "an edge names 'nowhere'",
    ),
    "edges of numbers": (lambda n: replace(n, "edges", [[1, 2]]), "expected names"),
    "a link to another file": (link_elsewhere, "is a link elsewhere"),
    "a link within": (link_in_place, "is a link elsewhere"),
    "an array larger than memory": (huge, "does not fit into memory"),
    "a group for an array": (
        lambda n: (n["nodes/n"].pop("tau"), n["nodes/n"].create_group("tau")), "is no array",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_bad_file_is_refused_with_its_reason(tmp_path, change, message):
    path = tmp_path / "bad.nir"
    broken(path, change)
    with pytest.raises(ns.NetworkError, match=message):
        ns.from_nir(path)


def test_no_file_and_a_file_of_something_else_are_refused(tmp_path):
    with pytest.raises(ns.NetworkError, match="there is no such file"):
        ns.from_nir(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_bytes(b"\x89HDF\r\n\x1a\nnothing")
    with pytest.raises(ns.NetworkError, match="cannot be read"):
        ns.from_nir(tmp_path / "text.nir")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_file_that_was_cut_is_refused(tmp_path, cut):
    nir.write(tmp_path / "whole.nir", GOOD)
    data = (tmp_path / "whole.nir").read_bytes()
    (tmp_path / "cut.nir").write_bytes(data[: int(cut * len(data))])
    with pytest.raises(ns.NetworkError, match="cannot be read"):
        ns.from_nir(tmp_path / "cut.nir")


def test_delays_that_are_no_steps_and_voltages_that_are_sent_are_refused(load):
    graph = delayed()
    graph.nodes["w_delay"].delay[:] = 0.0015
    with pytest.raises(ns.NetworkError, match="multiple of dt"):
        load(graph)
    graph = chain(
        ("inputs", nir.Input(shape_of(3))),
        ("w", nir.Linear(np.ones((4, 3)))),
        ("n", neurons("LI", (4,))),
        ("v", nir.Linear(np.ones((4, 4)))),
        ("m", neurons("LIF", (4,))),
        ("output", nir.Output(shape_of(4))),
    )
    with pytest.raises(ns.NetworkError, match="'n' sends its voltage to 'm', expected spikes"):
        load(graph)
