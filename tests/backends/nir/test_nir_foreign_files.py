"""Files as other tools write them: names, kernels, nested graphs, several ends, odd shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
nir = pytest.importorskip("nir")

import neurosim as ns  # noqa: E402

RNG = np.random.default_rng(5)


def lif(*shape: int) -> Any:
    def whole(value: float) -> np.ndarray:
        return np.full(shape, value)

    return nir.LIF(
        tau=whole(0.01), r=whole(1.0), v_leak=whole(0.0), v_threshold=whole(1.0), v_reset=whole(0.0)
    )


def graph(nodes: dict[str, Any], *edges: tuple[str, str]) -> Any:
    return nir.NIRGraph(nodes, list(edges), type_check=False)


def chain(*nodes: Any, start: Any, names: tuple[str, ...] = ()) -> Any:
    """Return input, nodes and output in a row."""
    titles = [*(names or (f"n{i}" for i in range(len(nodes))))]
    last = nir.Output(np.array(nodes[-1].r.shape if hasattr(nodes[-1], "r") else [4]))
    parts = {"input": nir.Input(np.array(start)), **dict(zip(titles, nodes, strict=True))}
    parts["output"] = last
    row = list(parts)
    return graph(parts, *zip(row[:-1], row[1:], strict=True))


@pytest.fixture
def load(tmp_path):
    def write_and_load(content: Any) -> ns.Network:
        path = tmp_path / "foreign.nir"
        nir.write(path, content)
        return ns.from_nir(path, dt="1 ms")

    return write_and_load


def matrix(net: ns.Network, projection: str) -> np.ndarray:
    """Return the weights of a projection as a matrix, (targets, sources)."""
    edges = ns.prepare(net, backend="reference").edges(projection)
    p = net.projections[projection]
    weights = np.zeros((p.target.population.size, p.source.population.size))
    np.add.at(weights, (edges.targets, edges.sources), edges.weights)
    return weights


def correlate(image: np.ndarray, node: Any) -> np.ndarray:
    """Return a convolution by its definition, output by output."""
    kernel = node.weight
    out, inside, rows, columns = kernel.shape
    groups = node.groups
    (py, px), (sy, sx), (dy, dx) = (
        np.broadcast_to(v, 2) for v in (node.padding, node.stride, node.dilation)
    )
    padded = np.pad(image, ((0, 0), (py, py), (px, px)))
    height = (padded.shape[1] - dy * (rows - 1) - 1) // sy + 1
    width = (padded.shape[2] - dx * (columns - 1) - 1) // sx + 1
    result = np.zeros((out, height, width))
    for o in range(out):
        begin = o // (out // groups) * inside
        for y in range(height):
            for x in range(width):
                window = padded[
                    begin : begin + inside,
                    y * sy : y * sy + dy * (rows - 1) + 1 : dy,
                    x * sx : x * sx + dx * (columns - 1) + 1 : dx,
                ]
                result[o, y, x] = (window * kernel[o]).sum()
    return result


@pytest.mark.parametrize(
    ("groups", "dilation", "stride", "padding"),
    [(1, 2, 1, 0), (2, 1, 1, 0), (2, (2, 1), (1, 2), (1, 0)), (4, 1, 2, 1)],
)
def test_groups_and_dilations_are_the_convolution_by_its_definition(
    load, groups, dilation, stride, padding
):
    kernel = RNG.normal(size=(4, 4 // groups, 3, 3))
    node = nir.Conv2d((7, 7), kernel, stride, padding, dilation, groups, np.zeros(4))
    image = RNG.normal(size=(4, 7, 7))
    expected = correlate(image, node)
    net = load(chain(node, lif(*expected.shape), start=(4, 7, 7), names=("conv", "n")))
    assert matrix(net, "conv") @ image.ravel() == pytest.approx(expected.ravel(), abs=1e-12)


@pytest.mark.parametrize(("word", "size"), [("valid", 5), ("same", 7)])
def test_paddings_may_be_words(load, word, size):
    node = nir.Conv2d((7, 7), RNG.normal(size=(2, 1, 3, 3)), 1, word, 1, 1, np.zeros(2))
    net = load(chain(node, lif(2, size, size), start=(1, 7, 7), names=("conv", "n")))
    numbers = nir.Conv2d((7, 7), node.weight, 1, (size - 5) // 2, 1, 1, np.zeros(2))
    image = RNG.normal(size=(1, 7, 7))
    expected = correlate(image, numbers).ravel()
    assert matrix(net, "conv") @ image.ravel() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("kernel", "stride"), [((2, 1, 2, 2), 1), ((2, 1, 3, 3), 2)])
def test_a_padding_that_is_not_even_on_both_sides_is_refused(load, kernel, stride):
    node = nir.Conv2d((6, 6), RNG.normal(size=kernel), stride, "same", 1, 1, np.zeros(2))
    with pytest.raises(ns.NetworkError, match="padding of node 'conv' is 'same'.*Write numbers"):
        load(chain(node, lif(2, 6, 6), start=(1, 6, 6), names=("conv", "n")))


def test_kernels_that_do_not_fit_their_groups_are_refused(load):
    node = nir.Conv2d((6, 6), RNG.normal(size=(4, 3, 3, 3)), 1, 0, 1, 2, np.zeros(4))
    with pytest.raises(ns.NetworkError, match="in 2 groups over 4 channels"):
        load(chain(node, lif(4, 4, 4), start=(4, 6, 6)))


def test_names_that_begin_with_digits_or_hold_other_letters_are_written_otherwise(load):
    weights = nir.Linear(RNG.normal(size=(4, 3)))
    net = load(chain(weights, lif(4), start=(3,), names=("0", "1")))
    assert set(net.populations) == {"input", "node_1"}
    assert list(net.projections) == ["node_0"]
    net = load(chain(weights, lif(4), start=(3,), names=("layer.0 ü", "a>b")))
    assert set(net.populations) == {"input", "a_b"}
    assert list(net.projections) == ["layer_0__"]


def recurrent() -> Any:
    """Return a recurrent layer as snnTorch writes it: a graph within the graph."""
    inner = graph(
        {
            "input": nir.Input(np.array([4])),
            "lif": lif(4),
            "w_rec": nir.Linear(RNG.normal(size=(4, 4))),
            "output": nir.Output(np.array([4])),
        },
        ("input", "lif"),
        ("lif", "w_rec"),
        ("w_rec", "lif"),
        ("lif", "output"),
    )
    return graph(
        {
            "input": nir.Input(np.array([3])),
            "w": nir.Linear(RNG.normal(size=(4, 3))),
            "rec": inner,
            "output": nir.Output(np.array([4])),
        },
        ("input", "w"),
        ("w", "rec"),
        ("rec", "output"),
    )


def test_a_graph_within_a_graph_takes_the_place_of_its_node(load):
    content = recurrent()
    net = load(content)
    assert set(net.populations) == {"input", "rec_lif"}
    inner = content.nodes["rec"]
    assert matrix(net, "w") == pytest.approx(content.nodes["w"].weight)
    assert matrix(net, "rec_w_rec") == pytest.approx(inner.nodes["w_rec"].weight)
    (probe,) = net.probes
    assert (probe.owner.name, probe.variable) == ("rec_lif", "spikes")


def test_graphs_within_graphs_have_one_input_and_one_output(load):
    content = recurrent()
    inner = content.nodes["rec"]
    inner.nodes["second"] = nir.Input(np.array([4]))
    with pytest.raises(ns.NetworkError, match="'rec' has 2 inputs and 1 outputs, expected one"):
        load(content)
    wire = graph(
        {"input": nir.Input(np.array([4])), "output": nir.Output(np.array([4]))},
        ("input", "output"),
    )
    content.nodes["rec"] = wire
    with pytest.raises(ns.NetworkError, match="the input of the graph 'rec' is its output"):
        load(content)
    deep = lif(4)
    for _ in range(10):
        ends = {"input": nir.Input(np.array([4])), "output": nir.Output(np.array([4]))}
        deep = graph({**ends, "n": deep}, ("input", "n"), ("n", "output"))
    content.nodes["rec"] = deep
    with pytest.raises(ns.NetworkError, match="graphs within 8 others"):
        load(content)


def test_two_outputs_of_one_population_and_an_edge_listed_twice_count_once(load, tmp_path):
    content = graph(
        {
            "input": nir.Input(np.array([4])),
            "n": lif(4),
            "first": nir.Output(np.array([4])),
            "second": nir.Output(np.array([4])),
        },
        ("input", "n"),
        ("n", "first"),
        ("n", "second"),
    )
    assert len(load(content).probes) == 1
    with h5py.File(tmp_path / "foreign.nir", "a") as file:
        edges = file["node/edges"][()]
        del file["node/edges"]
        file["node"]["edges"] = np.concatenate([edges, edges])
    net = ns.from_nir(tmp_path / "foreign.nir", dt="1 ms")
    assert list(net.projections) == ["input->n"]


def test_delays_in_a_row_add_up(load):
    first, second = nir.Delay(np.full(4, 0.002)), nir.Delay(np.full(4, 0.003))
    net = load(chain(first, second, lif(4), start=(4,)))
    # Both are counted from the step of the spike, in which a layer without delays would act.
    assert next(iter(net.projections.values())).delay == 4.0


def test_a_scale_multiplies_what_passes_through_it(load):
    weight = RNG.normal(size=(4, 3))
    scale = np.array([1.0, 2.0, -3.0, 0.5])
    net = load(
        chain(nir.Linear(weight), nir.Scale(scale), lif(4), start=(3,), names=("w", "s", "n"))
    )
    assert matrix(net, "w") == pytest.approx(scale[:, None] * weight)


def test_an_output_may_carry_an_input(load):
    content = chain(lif(4), start=(4,))
    content.edges.append(("input", "output"))
    assert {(p.owner.name, p.variable) for p in load(content).probes} == {
        ("input", "spikes"),
        ("n0", "spikes"),
    }


WRONG = {
    "scales": (nir.Scale(np.full(5, 2.0)), "node 'n0' has 5 values for 4 neurons"),
    "delays": (nir.Delay(np.full(5, 0.002)), "node 'n0' has 5 values for 4 neurons"),
    "a negative delay": (nir.Delay(np.full(4, -0.002)), "a delay of 'input' is -0.002 s"),
    "biases": (nir.Affine(np.ones((4, 4)), np.arange(3.0)), "node 'n0' has 3 values for 4"),
}


@pytest.mark.parametrize(("node", "message"), WRONG.values(), ids=WRONG)
def test_arrays_of_a_wrong_size_are_refused_by_the_name_of_their_node(load, node, message):
    with pytest.raises(ns.NetworkError, match=message):
        load(chain(node, lif(4), start=(4,)))


@pytest.mark.parametrize("edge", [("n0", "input"), ("output", "n0")])
def test_edges_to_an_input_or_from_an_output_are_refused(load, edge):
    content = chain(lif(4), start=(4,))
    content.edges.append(edge)
    with pytest.raises(ns.NetworkError, match=f"an edge goes from '{edge[0]}'.*to '{edge[1]}'"):
        load(content)


@pytest.mark.parametrize("edges", [[b"input", b"n0"], "x", [[b"a", b"b", b"c"]]])
def test_edges_of_another_shape_are_refused(load, tmp_path, edges):
    load(chain(lif(4), start=(4,)))
    with h5py.File(tmp_path / "foreign.nir", "a") as file:
        del file["node/edges"]
        file["node"]["edges"] = edges
    with pytest.raises(ns.NetworkError, match=r"^from_nir .*found edges of shape .*expected \(E"):
        ns.from_nir(tmp_path / "foreign.nir")


GRID_NUMBERS = [
    ("stride", (0, 1), "stride of node 'n0' is \\[0, 1\\], expected 1 or 2 numbers of at least 1"),
    ("stride", (1, 1, 1), "stride of node 'n0' is \\[1, 1, 1\\], expected 1 or 2 numbers"),
    ("dilation", (-1, 1), "dilation of node 'n0' is \\[-1, 1\\], expected 1 or 2 numbers"),
    ("dilation", (10**9, 10**9), "node 'n0' needs 8e\\+18 numbers, which do not fit"),
    (
        "padding",
        (-1, 0),
        "padding of node 'n0' is \\[-1, 0\\], expected 1 or 2 numbers of at least 0",
    ),
    ("padding", (10**9, 10**9), "node 'n0' needs 8e\\+18 numbers, which do not fit"),
    ("groups", (1, 1), "groups of node 'n0' is \\[1, 1\\], expected 1 numbers of at least 1"),
    ("weight", np.ones((2, 1, 9, 9)), "node 'n0': convolution: found a window of height 9"),
]


@pytest.mark.parametrize(("field", "value", "message"), GRID_NUMBERS)
def test_numbers_that_no_grid_has_are_refused_by_field_and_node(
    load, tmp_path, field, value, message
):
    node = nir.Conv2d((6, 6), np.ones((2, 1, 3, 3)), 1, 0, 1, 1, np.zeros(2))
    load(chain(node, lif(2, 4, 4), start=(1, 6, 6)))
    with h5py.File(tmp_path / "foreign.nir", "a") as file:
        del file[f"node/nodes/n0/{field}"]
        file[f"node/nodes/n0/{field}"] = value
    with pytest.raises(ns.NetworkError, match=f"^from_nir .*{message}"):
        ns.from_nir(tmp_path / "foreign.nir")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0,), "shape of node 'input' is \\[0\\], expected numbers of at least 1"),
        ((-4,), "shape of node 'input' is \\[-4\\]"),
        ((1 << 40, 1 << 40), "node 'input' needs 1.21e\\+24 numbers, which do not fit"),
    ],
)
def test_inputs_without_size_or_beyond_memory_are_refused(load, shape, message):
    with pytest.raises(ns.NetworkError, match=message):
        load(chain(lif(4), start=shape))


def test_branches_that_meet_again_and_again_are_refused_soon(load):
    """Two nodes side by side, forty times in a row, are more ways than can be followed."""
    nodes = {"input": nir.Input(np.array([3])), "n": lif(3), "output": nir.Output(np.array([3]))}
    edges = [("n", "output")]
    before = ["input"]
    for layer in range(40):
        side_by_side = [f"a{layer}", f"b{layer}"]
        nodes |= {name: nir.Linear(np.eye(3)) for name in side_by_side}
        edges += [(source, target) for source in before for target in side_by_side]
        before = side_by_side
    edges += [(name, "n") for name in before]
    with pytest.raises(ns.NetworkError, match="nodes on the ways from 'input' to other neurons"):
        load(graph(nodes, *edges))


def test_a_bias_counts_once_however_many_populations_feed_its_node(load):
    content = graph(
        {
            "a": nir.Input(np.array([3])),
            "b": nir.Input(np.array([3])),
            "w": nir.Affine(np.ones((4, 3)), np.arange(4.0)),
            "n": lif(4),
            "output": nir.Output(np.array([4])),
        },
        ("a", "w"),
        ("b", "w"),
        ("w", "n"),
        ("n", "output"),
    )
    net = load(content)
    assert len(net.projections) == 2
    assert net.populations["n"].values["bias"].tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(("pooling", "factor"), [("SumPool2d", 1.0), ("AvgPool2d", 1 / 6)])
def test_pools_sum_or_average_their_windows(load, pooling, factor):
    node = getattr(nir, pooling)(np.array([2, 3]), np.array([2, 3]), np.array([0, 0]))
    net = load(chain(node, lif(1, 2, 2), start=(1, 4, 6), names=("pool", "n")))
    image = RNG.normal(size=(4, 6))
    sums = image.reshape(2, 2, 2, 3).sum(axis=(1, 3))
    assert matrix(net, "pool") @ image.ravel() == pytest.approx(factor * sums.ravel())


def test_a_voltage_at_its_threshold_is_no_spike(load):
    """As in Norse and snnTorch: v must be above it."""
    node = nir.IF(r=np.array([1000.0]), v_threshold=np.array([1.0]), v_reset=np.array([0.0]))
    net = load(chain(node, start=(1,), names=("n",)))
    run = ns.prepare(net, backend="reference")
    run.set("input", steps=[[2, 4]])
    run.run(8.0, progress=False)
    # Each spike adds exactly 1: the first reaches the threshold, the second passes it.
    assert run.result()["n"].spikes.step.tolist() == [4]


def test_a_bias_passes_through_the_nodes_behind_it(load):
    first = nir.Affine(RNG.normal(size=(5, 3)), RNG.normal(size=5))
    second = nir.Affine(RNG.normal(size=(4, 5)), RNG.normal(size=4))
    net = load(chain(first, second, lif(4), start=(3,), names=("a", "b", "n")))
    bias = second.weight @ first.bias + second.bias
    assert net.populations["n"].values["bias"] == pytest.approx(bias)


def test_files_without_optional_arrays_have_the_defaults_of_nir(load, tmp_path):
    ones = np.ones(2)
    cuba = nir.CubaLIF(0.005 * ones, 0.01 * ones, ones, 0 * ones, ones, 3 * ones, 7 * ones)
    load(chain(cuba, start=(2,), names=("n",)))
    with h5py.File(tmp_path / "foreign.nir", "a") as file:
        del file["node/nodes/n/v_reset"], file["node/nodes/n/w_in"]
    values = ns.from_nir(tmp_path / "foreign.nir", dt="1 ms").populations["n"].values
    assert (values["v_reset"], values["w_in"]) == (0.0, 1.0)
