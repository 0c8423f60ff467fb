"""Messages about handlers that change states of cells."""

import pytest

import neurosim as ns
from neurosim.analysis.comparison import compare
from neurosim.models import cells


def project(handlers: list[tuple[str, str]], **parts: str) -> ns.Network:
    net = ns.Network("net", dt="1 ms")
    a = net.spike_source("a", 2)
    b = net.population("b", 2, ns.Cell("v : mV; drive = 2 * v : mV", name="cell"))
    rule = ns.Rule(edge="w : mV", handlers=handlers, name="rule", **parts)
    net.project(a, b, ns.all_to_all(), rule=rule, name="e")
    return net


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("u_post += w", "the target cell 'cell' has no state 'u'"),
        ("drive_post += w", "the target cell 'cell' has no state 'drive'"),
        ("v_pre += w", "the source cell 'given spikes' has no state 'v'"),
        ("v_post = w", "would depend on the order of edges: several edges of a target neuron"),
        ("v_post *= 2", "Add with '\\+=' an expression that does not read 'v_post'"),
        ("v_post += 0.1 * v_post", "does not read 'v_post'"),
        ("v_post = y", "and is no variable of the rule"),
        ("v_post += 1", "'v_post \\+= 1'"),
        ("u += w", "has no variable 'u'|there is no variable 'u'|no 'u'"),
        ("w_post += 1*mV", "by its own name, without '_post'. Write 'w'"),
    ],
)
def test_what_a_handler_cannot_assign_is_refused_with_the_remedy(statement, message):
    with pytest.raises(ns.ModelError, match=message):
        project([("pre", statement)], post="y : mV")


def test_a_stored_definition_of_a_changed_state_is_a_row():
    net = project([("pre", "v_post += w")])
    assert all(r.status == "exact" for r in ns.check(net).rows)
    net.record(net["b"], "drive")
    report = ns.check(net)
    row = next(r for r in report.rows if r.status == "impossible")
    assert "the definition 'drive' of 'b', which reads 'v', is stored" in str(row)
    assert "Record 'v'" in str(row)


def test_reports_name_the_states_that_a_rule_changes():
    assert "It changes v_post." in str(ns.check(project([("pre", "v_post += w")])))


def test_pair_stdp_that_changes_a_cell_is_not_matched_in_silence():
    net = ns.Network("net", dt="1 ms")
    a = net.population("a", 2, cells.lif_exponential())
    changed = ns.Rule(
        edge="w : nA",
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1",
        handlers=[
            ("pre", "x += 1; w = clip(w - 0.1 * w_max * y, 0, w_max); out += w"),
            ("post", "y += 1; w = clip(w + 0.1 * w_max * x, 0, w_max); v_post += 1*mV"),
        ],
        parameters={"tau": "20 ms", "w_max": "1 nA"},
    )
    net.project(a, a, ns.all_to_all(), rule=changed, port="excitatory", weight=0.1, delay="1 ms")
    rows = ns.check(net, backend="nest").rows
    assert any(r.status == "impossible" and "it assigns 'v_post'" in str(r) for r in rows)


def test_threads_change_no_bit():
    def net(loop: str) -> ns.Network:
        net = ns.Network("net", dt="0.5 ms", seed=4)
        cell = ns.Cell(
            "dv/dt = -v / (10*ms) : mV; a : mV", spike="v > 5*mV", after_spike="v = 0*mV"
        )
        source = net.poisson("source", 40, rate="60 Hz")
        target = net.population("target", 300, cell)
        rule = ns.Rule(edge="w : mV", handlers=[("pre", "v_post += w; a_post = v_post")])
        net.project(source, target, ns.fixed_probability(0.3), rule=rule, weight="1 mV", name="e")
        rule = ns.Rule(edge="w : mV", handlers=[("pre", loop)])
        net.project(target, target, ns.fixed_probability(0.1), rule=rule, weight=0.1, name="loop")
        net.record(target, "spikes")
        net.record(target, "v", "a")
        return net

    for loop in ("v_post += w", "v_post += w * v_pre / mV", "v_pre += w"):
        reference = ns.simulate(net(loop), "20 ms", backend="reference")
        threads = ns.simulate(net(loop), "20 ms", backend="cpu", threads=2)
        assert len(reference["target"].spikes) > 200
        assert all(v["pass"] for v in compare(reference, threads))
