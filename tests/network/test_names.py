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
