"""Networks and their parts complete the names that stand between brackets, as notebooks ask."""

import pytest

import neurosim as ns
from neurosim.models import cells, plasticity


@pytest.fixture
def net() -> ns.Network:
    net = ns.Network("names", dt="0.1 ms")
    a = net.population("a", 3, cells.lif())
    net.poisson("noise", 2, rate="5 Hz")
    net.project(a, a, ns.all_to_all(), weight="1 nA", name="static")
    net.project(a, a, ns.all_to_all(), weight="1 nA", rule=plasticity.stdp(), name="plastic")
    net.poisson_drive(a, rate="5 Hz", weight="1 nA", name="drive")
    return net


def completions(owner: object) -> list[str]:
    return owner._ipython_key_completions_()


def test_a_network_completes_populations_projections_and_drives(net):
    assert completions(net) == ["a", "noise", "static", "plastic", "drive"]
    assert all(net[name].name == name for name in completions(net))


def test_populations_and_views_complete_states_and_parameters(net):
    cell = cells.lif()
    names = [part.name for part in (*cell.states, *cell.parameters)]
    assert completions(net["a"]) == completions(net["a"][:2]) == names
    assert completions(net["noise"]) == ["rate"]
    assert all(net["a"][name].name == name for name in names)


def test_projections_complete_what_links_can_refer_to(net):
    assert completions(net["static"]) == []
    names = completions(net["plastic"])
    assert {"x", "y", "tau_plus", "w_max"} <= set(names) and "w" not in names
    assert all(net["plastic"][name].name == name for name in names)


def test_projections_between_views_of_one_pair_name_themselves():
    net = ns.Network("names", dt="0.1 ms")
    a, b = net.population("a", 10, cells.lif()), net.population("b", 4, cells.lif())
    port = cells.lif().receives[0][0]

    def name(source, target) -> str:
        return net.project(source, target, ns.all_to_all(), weight="1 nA").name

    assert name(a[:8], b) == f"a->b.{port}"
    assert name(a[8:], b) == f"a[8:10]->b.{port}"
    assert name(a[1::3], b[2]) == f"a[1:8:3]->b[2].{port}"
    # The same views once more, and views that are no slices, which have no short names.
    assert name(a[8:], b) == f"a[8:10]->b.{port}:2"
    assert name(a, b) == f"a->b.{port}:2"
    assert name(a[[4, 2, 9]], b) == f"a->b.{port}:3"
    assert name(a[::-1], b) == f"a->b.{port}:4"
    assert len(net.projections) == 7


def test_drives_of_one_port_name_themselves():
    net = ns.Network("names", dt="0.1 ms")
    a = net.population("a", 10, cells.lif())
    port = cells.lif().receives[0][0]
    names = [
        net.poisson_drive(view, rate="5 Hz", weight="1 nA").name for view in (a, a, a[:3], a[3:])
    ]
    start = "poisson_drive->a"
    assert names == [
        f"{start}.{port}",
        f"{start}.{port}:2",
        f"{start}[0:3].{port}",
        f"{start}[3:10].{port}",
    ]


def test_edges_of_projections_that_name_themselves_are_drawn_apart():
    net = ns.Network("names", dt="0.1 ms", seed=4)
    a = net.population("a", 30, cells.lif())
    first, second = (
        net.project(a, a, ns.fixed_probability(0.5), weight="1 nA").connect(net.seed)
        for _ in range(2)
    )
    assert first.pointer.tolist() != second.pointer.tolist()


@pytest.mark.parametrize("title", ["CUBA, 4000 cells", "Brunel (2000): A/B", "a", "x+y = 1; z"])
def test_the_title_of_a_network_may_have_spaces(title):
    assert ns.Network(title, dt="0.1 ms").name == title


@pytest.mark.parametrize(
    "title", ["a\nb", 'a" b', "a' b", "a ", " a", "a\\b", "1 a", "", "a\u2028b"]
)
def test_a_title_that_is_more_than_a_line_of_plain_text_is_refused(title):
    with pytest.raises(ns.NetworkError, match="network name: found .*digits, spaces or one of"):
        ns.Network(title, dt="0.1 ms")
