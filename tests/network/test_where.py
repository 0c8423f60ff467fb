"""Edges by condition and probability, and values of edges as text over both neurons of a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim.backend.memory_estimate import items
from neurosim.draws import compiled_edges, sampling
from neurosim.draws.streams import Stream
from neurosim.expr.functions import FUNCTIONS
from neurosim.expr.parse import ARITY
from neurosim.ir.concrete import ConcreteProjection
from neurosim.ir.concretise import concretise
from neurosim.network.wiring import conditions, pair_texts

CELL = ns.Cell(
    "dv/dt = -v / tau : mV; ds/dt = -s / tau : nA",
    parameters={"tau": "10 ms", "k": 1.0, "level": ns.Parameter("mV", "1 mV")},
    receives={"in": ns.Port("nA", into="s")},
    spike="v > level",
    after_spike="v = 0",
    name="cell",
)
SITES = np.random.default_rng(2).uniform(0, 1000, (90, 3))


def network(*, seed: int = 3, **values) -> ns.Network:
    """Return 50 neurons a and 40 b with positions and parameters, and 20 c without positions."""
    net = ns.Network("net", dt="0.1 ms", seed=seed)
    net.population("a", 50, CELL, positions=SITES[:50], k=ns.uniform(0, 1), **values)
    net.population("b", 40, CELL, positions=SITES[50:], k=np.arange(40.0))
    net.population("c", 20, CELL)
    return net


def wired(
    net: ns.Network, connector, *, source="a", target="b", weight="1 nA", **values
) -> ConcreteProjection:
    ends = (net[end] if isinstance(end, str) else end for end in (source, target))
    net.project(*ends, connector, weight=weight, name="p", **values)
    return concretise(net).projections["p"]


def joined(p: ConcreteProjection) -> list[tuple[int, int]]:
    return list(zip(p.sources.tolist(), p.targets.tolist(), strict=True))


def pairs(condition) -> list[tuple[int, int]]:
    return [(i, j) for i in range(50) for j in range(40) if condition(i, j)]


def distances(box: float = math.inf) -> np.ndarray:
    away = np.abs(SITES[:50, None] - SITES[None, 50:])
    return np.sqrt((np.minimum(away, np.abs(box - away)) ** 2).sum(axis=-1))


@pytest.fixture(params=["numpy", "compiled"])
def many(request, monkeypatch):
    """Each text walked by NumPy, then compiled."""
    limit = 0 if request.param == "compiled" else math.inf
    monkeypatch.setattr(conditions, "MANY", limit)
    monkeypatch.setattr(pair_texts, "MANY", limit)


# ---- conditions


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("abs(i - j) < 4 and i != j", lambda i, j: abs(i - j) < 4 and i != j),
        ("i == j", lambda i, j: i == j),
        ("not (i > 3 or j > 5)", lambda i, j: i <= 3 and j <= 5),
        ("i_pre == 2 and j_post_is", None),
        ("i_pre + i_post == N_post", lambda i, j: i + j == 40),
        ("k_post == i", lambda i, j: i == j),
        ("distance < 300*um", lambda i, j: distances()[i, j] < 300),
        ("x_pre < x_post and z_pre > 0.5*mm", lambda i, j: _ahead(i, j)),
        ("tau_pre > 9*ms and level_post == 1*mV and i == 3", lambda i, j: i == 3),
    ],
)
def test_pairs_for_which_a_condition_holds_are_joined(condition, expected, many):
    if expected is None:
        with pytest.raises(ns.ModelError, match="there is no name 'j_post_is'"):
            wired(network(), ns.where(condition))
        return
    assert joined(wired(network(), ns.where(condition))) == pairs(expected)


def _ahead(i: int, j: int) -> bool:
    return SITES[i, 0] < SITES[50 + j, 0] and SITES[i, 2] > 500


def test_without_a_condition_all_pairs_are_joined():
    assert joined(wired(network(), ns.where())) == pairs(lambda i, j: True)


def test_indices_are_those_of_the_population_whatever_the_view(many):
    net = network()
    p = wired(net, ns.where("i == j + 1"), source=net["a"][[9, 4, 30]], target=net["b"][::-1])
    assert joined(p) == [(4, 3), (9, 8), (30, 29)]


def test_autapses_are_left_out_by_the_indices(many):
    net = network()
    p = wired(net, ns.where("i != j"), source="a", target="a")
    assert joined(p) == [(i, j) for i in range(50) for j in range(50) if i != j]


def test_drawn_parameters_are_read_as_the_run_begins_with_them(many):
    net = network()
    p = wired(net, ns.where("k_pre > 0.5"))
    k = concretise(net).populations["a"].parameters["k"]
    assert sorted(set(p.sources.tolist())) == np.flatnonzero(k > 0.5).tolist()


def test_distances_in_a_box_are_those_of_the_nearest_images(many):
    within = distances(800.0)
    p = wired(network(), ns.where("distance < 250*um"), box="800 um")
    assert joined(p) == pairs(lambda i, j: within[i, j] < 250)
    assert len(joined(p)) > len(joined(wired(network(), ns.where("distance < 250*um"))))


def test_an_axis_of_a_box_need_not_repeat():
    both, one = (
        wired(network(), ns.where("distance < 300*um"), box=box)
        for box in (("800 um", None, "1 m"), ("0.8 mm",))
    )
    away = np.abs(SITES[:50, None] - SITES[None, 50:])
    away[..., 0] = np.minimum(away[..., 0], np.abs(800 - away[..., 0]))
    expected = pairs(lambda i, j: (away[i, j] ** 2).sum() < 300**2)
    assert joined(both) == joined(one) == expected


# ---- probabilities


def test_a_pair_is_joined_if_its_own_draw_is_below_its_probability(many):
    """The draws are those of a connector that a user would write."""
    p = wired(network(), ns.where("i != j", p="exp(-distance / (200 * um))"))
    draws = Stream(3, "p/edges").uniform(np.arange(40), row=np.arange(50)[:, None])
    chance = FUNCTIONS["exp"](-distances() / 200)
    assert joined(p) == pairs(lambda i, j: i != j and draws[i, j] < chance[i, j])


def test_draws_depend_on_the_seed_and_the_pair_and_on_no_other_pair(many):
    net = network()
    whole = joined(wired(net, ns.where(p=0.5)))
    part = network()
    views = {"source": part["a"][[7, 3, 21]], "target": part["b"][5:33]}
    assert joined(wired(part, ns.where("j > 6", p=0.5), **views)) == [
        (i, j) for i, j in whole if i in (3, 7, 21) and 6 < j < 33
    ]
    assert joined(wired(network(seed=4), ns.where(p=0.5))) != whole


def test_random_numbers_in_a_condition_are_one_per_pair_and_occurrence(many):
    p = wired(network(), ns.where("uniform() < 0.5 and uniform() < 0.5"))
    first, second = (
        Stream(3, f"p/edges/draw{k}").uniform(np.arange(40), row=np.arange(50)[:, None])
        for k in (0, 1)
    )
    assert joined(p) == pairs(lambda i, j: first[i, j] < 0.5 and second[i, j] < 0.5)


def test_the_share_of_joined_pairs_is_the_probability():
    """Within four standard errors of 250 000 pairs."""
    net = ns.Network("net", dt="0.1 ms", seed=1)
    a = net.population("a", 500, CELL)
    p = wired(net, ns.where(p=0.2), source=a, target=a)
    assert abs(p.targets.size / 250_000 - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 250_000)


@pytest.mark.parametrize("p", [0, 0.0, 1, 1.0, "0", "1"])
def test_certain_probabilities_join_none_or_all(p, many):
    expected = pairs(lambda i, j: i < j) if float(p) else []
    assert joined(wired(network(), ns.where("i < j", p=p))) == expected


# ---- several edges of a pair


def test_each_joined_pair_has_the_number_of_edges_that_is_asked_for(many):
    three = joined(wired(network(), ns.where("i == j", n=3)))
    assert three == sorted(pairs(lambda i, j: i == j) * 3)
    text = joined(wired(network(), ns.where("j < 3", n="i_post")))
    assert text == [(i, j) for i in range(50) for j in (1, 2, 2)]
    assert joined(wired(network(), ns.where("i == j", n=0))) == []


def test_a_drawn_number_of_edges_belongs_to_the_pair(many):
    net = network()
    p = joined(wired(net, ns.where(n=ns.integers(0, 4))))
    counts = [p.count(pair) for pair in pairs(lambda i, j: True)]
    assert set(counts) == {0, 1, 2, 3} and np.mean(counts) == pytest.approx(1.5, abs=0.1)
    part = joined(wired(network(), ns.where("i == 7", n=ns.integers(0, 4))))
    assert part == [pair for pair in p if pair[0] == 7]


# ---- values of edges


def test_weights_and_delays_follow_the_distance(many):
    net = network()
    p = wired(
        net,
        ns.where("distance < 500*um"),
        weight="0.1*nA * exp(-distance / (100*um))",
        delay="distance / (0.2*um/us)",
        round_delays=True,
    )
    away = distances()[p.sources, p.targets]
    np.testing.assert_array_equal(p.weight, 0.1 * FUNCTIONS["exp"](-away / 100))
    np.testing.assert_allclose(np.asarray(p.delay), away / 200, rtol=1e-14)


@pytest.mark.parametrize(
    "connector",
    [ns.fixed_indegree(5), ns.all_to_all(), ns.from_arrays([3, 0, 3, 3], [1, 2, 1, 0])],
    ids=lambda c: c.show(),
)
def test_texts_are_values_of_any_connector_through_views_in_any_order(connector, many):
    net = network()
    views = {"source": net["a"][[8, 2, 30, 31]], "target": net["b"][[7, 1, 39]]}
    if isinstance(connector, ns.fixed_indegree):
        views = {"source": net["a"][::-1], "target": net["b"][[7, 1, 39]]}
    p = wired(net, connector, weight="(100 * i + j) * pA", **views)
    np.testing.assert_allclose(p.weight, (100 * p.sources + p.targets) / 1000, rtol=1e-15)


def test_plain_numbers_of_a_text_are_in_the_unit_of_the_port(many):
    p = wired(network(), ns.where("i == j"), weight="i * 0.1")
    np.testing.assert_array_equal(p.weight, np.arange(40) * 0.1)


def test_edges_of_one_pair_have_draws_of_their_own(many):
    p = wired(network(), ns.where("i == j", n=3), weight="1*nA * uniform()")
    draws = [
        ns.draws.streams.uniform(
            Stream(3, "p/weight/draw0").key, np.arange(40), np.arange(40), replica=k
        )
        for k in range(3)
    ]
    np.testing.assert_array_equal(p.weight, np.array(draws).T.ravel())


def test_draws_of_values_do_not_depend_on_which_other_edges_there_are(many):
    whole = wired(network(), ns.where(), weight="1*nA * (2 + normal())")
    part = wired(network(), ns.where("i + j == 20"), weight="1*nA * (2 + normal())")
    values = dict(zip(joined(whole), whole.weight.tolist(), strict=True))
    assert part.weight.tolist() == [values[pair] for pair in joined(part)]
    assert len(set(values.values())) == len(values)


def test_variables_and_parameters_of_edges_may_be_texts(many):
    rule = ns.Rule(
        edge="w : nA; e : mV",
        handlers=[("pre", "out += w * g")],
        parameters={"g": ns.Parameter("1", 1.0, per="edge")},
        name="valued",
    )
    values = {"e": "i * level_post", "g": "1 / (1 + j)", "weight": "i * nA"}
    p = wired(network(), ns.where("i == j"), rule=rule, **values)
    numbers = np.arange(40.0)
    np.testing.assert_array_equal(np.asarray(p.initial["w"]), numbers)
    np.testing.assert_array_equal(np.asarray(p.initial["e"]), numbers)
    np.testing.assert_array_equal(p.values["g"], 1 / (1 + numbers))


def test_a_text_without_names_is_one_number():
    net = network()
    net.project(net["a"], net["b"], ns.where("i == j"), weight="2 * 10*pA", delay="2 * 1*ms")
    (p,) = net.projections.values()
    assert p.weight == pytest.approx(0.02) and p.delay == 2.0


# ---- blocks, threads, memory


@pytest.mark.parametrize("block", [1, 100, 1 << 18])
def test_blocks_and_threads_change_no_edge_and_no_value(block, monkeypatch):
    connector = ns.where("i != j", p="exp(-distance / (200 * um))", n="1 + (k_pre > 0.5)")
    weight = "uniform() * nA + k_pre * nA"
    expected = wired(network(), connector, weight=weight)
    monkeypatch.setattr(sampling, "BLOCK", block)
    walked = wired(network(), connector, weight=weight)
    monkeypatch.setattr(conditions, "MANY", 0)
    monkeypatch.setattr(pair_texts, "MANY", 0)
    monkeypatch.setattr(compiled_edges, "BLOCK", block)
    monkeypatch.setattr(compiled_edges, "cores", lambda: 3)
    compiled = wired(network(), connector, weight=weight)
    for p in (walked, compiled):
        assert joined(p) == joined(expected)
        np.testing.assert_array_equal(p.weight, expected.weight)


def test_long_rows_are_selected_in_pieces(monkeypatch):
    """Views of several pieces of targets, some of them neighbours and some not."""
    net = ns.Network("net", dt="0.1 ms", seed=1)
    a = net.population("a", 700, CELL, k=ns.uniform(0, 1))
    views = a[:3], a[np.r_[2:300, 698:300:-3, 1]]

    def edges() -> list[tuple[int, int]]:
        net.projections.clear()
        net.inputs.clear()
        return joined(
            wired(net, ns.where("k_post > 0.3", p="k_post"), source=views[0], target=views[1])
        )

    expected = edges()
    monkeypatch.setattr(conditions, "MANY", 0)
    assert edges() == expected and len(expected) > 100


def test_the_number_of_edges_is_foretold_within_ten_per_cent():
    net = ns.Network("net", dt="0.1 ms", seed=1)
    sites = np.random.default_rng(1).uniform(0, 1000, (3000, 3)) * [1, 1, 0]
    a = net.population("a", 3000, CELL, positions=sites)
    near = ns.where("distance < 100*um", p=0.5)
    p = net.project(a, a, near, weight="i * pA", name="p", box=("1 mm", "1 mm"))
    edges = p.connect(net.seed).target.size
    assert edges <= p.edge_count().most <= 1.1 * edges
    assert dict(items(net))[f"projection 'p' ({p.edge_count().most:.3g} edges)"] > 10 * edges


def test_the_number_of_edges_is_known_where_nothing_is_drawn():
    net = network()
    p = net.project(net["a"], net["b"], ns.where("i == j", n=2), weight=np.ones(80))
    assert p.edge_count() == ns.EdgeCount(80)
    with pytest.raises(ns.NetworkError, match=r"shape \(79,\), expected .* length 80"):
        net.project(net["a"], net["b"], ns.where("i == j", n=2), weight=np.ones(79))
    random = net.project(net["a"], net["b"], ns.where("i == j", p=0.5), weight=1.0)
    assert random.edge_count().known is None and random.edge_count().most <= 40


@pytest.mark.process
def test_few_pairs_are_joined_without_loading_numba():
    import subprocess
    import sys

    code = """import sys, neurosim as ns
from neurosim.ir.concretise import concretise
net = ns.Network("net", dt=0.1)
a = net.population("a", 9, ns.Cell("v : mV", receives={"v": ns.Port("mV", into="v")}))
net.project(a, a, ns.where("i < j", p="1 / (1 + i)"), weight="i*mV")
concretise(net)
print("numba" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- connectors of one's own


@dataclass(frozen=True)
class nearest:
    """The example of PairConnector."""

    def between(self, pairs: ns.Pairs) -> ns.Connector:
        away = np.abs(pairs.values("x_pre")[:, None] - pairs.values("x_post"))
        return ns.from_arrays(np.arange(len(pairs.source)), away.argmin(axis=1))

    def show(self) -> str:
        return "nearest"


def test_a_connector_of_ones_own_reads_positions_and_parameters():
    net = network()
    p = wired(net, nearest(), source=net["a"][3:5])
    away = np.abs(SITES[3:5, None, 0] - SITES[None, 50:, 0])
    assert joined(p) == [(3, away[0].argmin()), (4, away[1].argmin())]
    with pytest.raises(ns.NetworkError, match="the pairs has no name 'distance'.*x_pre"):
        ns.Pairs(net["a"].view, net["b"].view, 3).values("distance")


def test_between_has_to_return_a_connector():
    class lazy(nearest):
        def between(self, pairs):
            return None

    with pytest.raises(ns.NetworkError, match="nearest: between returned None, expected a conn"):
        wired(network(), lazy())


# ---- messages

WHERE = "projection 'p' (a -> b): where"
REFUSED = {
    "an unknown name": (
        ns.where("abs(i - jj) < 3"),
        {},
        f"{WHERE}, condition: there is no name 'jj'.",
        "The names are: N_post, N_pre, distance, i, i_post",
    ),
    "a name of one neuron": (
        ns.where("k > 3"),
        {},
        "there is no name 'k': a pair has two neurons. Write k_pre or k_post.",
    ),
    "a text that is no condition": (
        ns.where("distance"),
        {},
        f"{WHERE}, condition: 'distance' is a length (um), expected a condition.",
        "Compare it, such as 'abs(i - j) < 4'",
    ),
    "a probability as a condition": (
        ns.where("exp(-i)"),
        {},
        "is a plain number, expected a condition.",
        "a probability is given as p=...",
    ),
    "lengths and times compared": (
        ns.where("distance < 3*ms"),
        {},
        "'distance' is a length (um) but '3 * ms' is a time (ms).",
    ),
    "a probability with a unit": (
        ns.where(p="distance"),
        {},
        f"{WHERE}, p: 'distance' is a length (um), but a plain number is expected.",
    ),
    "a probability above 1": (
        ns.where("i < j", p="0.5 * j"),
        {},
        f"{WHERE}, p: '0.5 * j' is 1.5 for i = 0, j = 3, expected a probability from 0 to 1.",
        "Write clip(..., 0, 1), or change the condition.",
    ),
    "a probability that is not a number": (
        ns.where(p="log(-1 - i)"),
        {},
        "is nan for i = 0, j = 0",
    ),
    "time": (
        ns.where("t > 3*ms"),
        {},
        "'t > 3 * ms' depends on time (t), expected a value for the whole run.",
        "Write it in a rule.",
    ),
    "half an edge": (
        ns.where("i == j", n="j / 2"),
        {},
        f"{WHERE}, n: 'j / 2' is 0.5 for i = 1, j = 1, expected a whole number of edges",
        "Write floor(...).",
    ),
    "an infinite number of edges": (
        ns.where(n="1 / i"),
        {},
        f"{WHERE}, n: '1 / i' is inf for i = 0, j = 0, expected finite numbers.",
    ),
    "a draw of fractions as a number of edges": (
        ns.where(n=ns.uniform(0, 3)),
        {},
        "expected a draw of whole numbers. Use ns.integers or ns.binomial.",
    ),
    "a draw of negative numbers of edges": (
        ns.where(n=ns.integers(-1, 3)),
        {},
        "which can fall outside, expected 0 or more",
    ),
    "Python in a condition": (
        ns.where("i.real < 3"),
        {},
        f"{WHERE}, condition: 'i.real' in 'i.real < 3' is outside the language",
    ),
    "a condition as text": (
        "i != j",
        {},
        "found 'i != j', expected a connector such as ns.all_to_all().",
        "A condition as text goes into ns.where('...').",
    ),
    "a weight of another unit": (
        ns.where("i == j"),
        {"weight": "distance"},
        "projection 'p' (a -> b), weight: 'distance' is a length (um), but a current (nA) is "
        "expected. Multiply or divide it by what is missing.",
    ),
    "a weight of an unknown name": (
        ns.all_to_all(),
        {"weight": "exp(-distanc / (100*um)) * nA"},
        "projection 'p' (a -> b), weight: there is no name 'distanc'. Did you mean 'distance'?",
    ),
    "a weight that is infinite": (
        ns.where("i == j"),
        {"weight": "1*nA / i"},
        "projection 'p' (a -> b), weight: '1 * nA / i' is inf for i = 0, j = 0, expected finite",
    ),
    "a delay of another unit": (
        ns.where("i == j"),
        {"delay": "distance"},
        "projection 'p' (a -> b), delay: 'distance' is a length (um), but a time (ms) is expected.",
    ),
    "delays off the grid": (
        ns.where("i == j"),
        {"delay": "distance / (0.2*um/us)"},
        "projection 'p' (a -> b): delay ",
        "is not a multiple of dt (0.1 ms).",
        "a smaller dt, or round_delays=True.",
    ),
    "negative delays": (
        ns.where("i < 3 and j < 3"),
        {"delay": "(i - j) * ms"},
        "projection 'p' (a -> b), delay: '(i - j) * ms' is -1 for i = 0, j = 1, expected finite "
        "numbers from 0 on. Correct it.",
    ),
    "a box of no length": (ns.all_to_all(), {"box": "0 um"}, "box: found '0 um', expected lengths"),
    "a box of a time": (ns.all_to_all(), {"box": "1 ms"}, "box: '1 ms' is a time (ms)"),
    "a box of four lengths": (ns.all_to_all(), {"box": [1, 1, 1, 1]}, "expected one length, or"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_wrong_text_is_refused_at_its_line_and_changes_nothing(case):
    connector, values, *message = case
    net = network()
    with pytest.raises((ns.ModelError, ns.NetworkError), match=parts(*message)):
        wired(net, connector, **values)
    assert not net.projections and not net.inputs


@pytest.mark.parametrize("text", ["distance < 3*um", "x_post > 0*um"])
def test_populations_without_positions_are_named(text):
    with pytest.raises(ns.ModelError, match="population 'c' has no positions. Give it positions="):
        wired(network(), ns.where(text), target="c")


def test_a_table_over_time_has_no_value_for_a_pair():
    net = ns.Network("net", dt="0.1 ms")
    a = net.population("a", 3, CELL, k=ns.table([1, 2], every="1 ms"))
    with pytest.raises(ns.ModelError, match="found 'k_pre', which is a table over time"):
        net.project(a, a, ns.where("k_pre > 1"), weight=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"condition": 3}, "found the condition 3, expected text such as"),
        ({"condition": lambda i, j: i < j}, "found the condition .* Put it between quotes"),
        ({"p": 1.5}, "p is 1.5; expected a number from 0 to 1, or text"),
        ({"p": True}, "p is True; expected"),
        ({"p": float("nan")}, "p is nan; expected"),
        ({"n": -1}, "n is -1; expected a whole number of edges"),
        ({"n": 1.5}, "n is 1.5; expected a whole number of edges"),
        ({"n": None}, "n is None; expected a whole number of edges"),
    ],
)
def test_arguments_of_where_are_checked_when_it_is_made(arguments, words):
    with pytest.raises(ns.NetworkError, match=f"where: {words}"):
        ns.where(**arguments)


def test_wrong_values_of_many_pairs_are_found_when_the_network_is_prepared(many, monkeypatch):
    monkeypatch.setattr(ns.network.network, "_EVALUATED", 0)
    with pytest.raises(ns.NetworkError, match="delay: .* is -1 for i = 0, j = 1, expected finite"):
        wired(network(), ns.where("i < 3 and j < 3"), delay="(i - j) * ms")
    monkeypatch.setattr(conditions, "SAMPLE", 40)
    with pytest.raises(
        ns.NetworkError, match=r"projection 'p' \(a -> b\): where, p: .* is 1.1 for"
    ):
        wired(network(), ns.where(p="where(i == 49 and j == 3, 1.1, 0.5)"))


def test_a_connector_shows_its_texts():
    text = ns.where("i != j", p="exp(-i)", n=2).show()
    assert text == "where i != j, p = exp(-i), n = 2"
    assert repr(network()["a"]) and ns.where("i < j").show() == "where i < j"


def test_neurons_in_a_plane_have_two_coordinates():
    net = ns.Network("net", dt="0.1 ms")
    a = net.population("a", 3, CELL, positions=[[0, 0], [3, 4], [30, 40]])
    p = net.project(a, a, ns.where("i == 0"), weight="distance / um * nA", name="p")
    assert concretise(net).projections["p"].weight.tolist() == [0, 5, 50]
    assert p.source.population.positions.tolist() == [[0, 0, 0], [3, 4, 0], [30, 40, 0]]


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**", "%", "//"])
def test_operators_have_the_bits_of_numpy_in_compiled_texts(operator, monkeypatch):
    check_bits(f"((1.5 + i) {operator} (0.3 + j)) * nA", monkeypatch)


@pytest.mark.parametrize("function", sorted(ARITY))
def test_functions_have_the_bits_of_numpy_in_compiled_texts(function, monkeypatch):
    arguments = ["(0.1 + i) / 50", "0.2", "0.7 + j / 40"][: ARITY[function]]
    check_bits(f"{function}({', '.join(arguments)}) * nA", monkeypatch)


def check_bits(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = wired(network(), ns.all_to_all(), weight=text).weight
    monkeypatch.setattr(pair_texts, "MANY", 0)
    np.testing.assert_array_equal(wired(network(), ns.all_to_all(), weight=text).weight, expected)
