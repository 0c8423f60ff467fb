"""Text in `set` for edges and drives, definitions in texts over pairs, and their values now."""

import numpy as np
import pytest

import neurosim as ns

CELL = ns.Cell(
    """dv/dt = -v / (10*ms) : mV
       twice = 2 * v + bias : mV
       late = v + t * mV/ms : mV
       felt = v + normal() * mV : mV""",
    parameters={"bias": "1 mV"},
    receives={"push": ns.Port("mV", into="v"), "g": ns.Port("mV", into="v")},
    spike="v > 100*mV",
    initial={"v": "0 mV"},
)


def network(**options: object) -> ns.Network:
    net = ns.Network("net", dt="1 ms", seed=2)
    at = np.arange(4.0)[:, None] * [100, 0, 0]
    a = net.population("a", 4, CELL, v="i * 1*mV", positions=at)
    b = net.population("b", 3, CELL, v="i * 10*mV", bias=[1, 2, 3], positions=at[:3])
    net.project(a[1:], b, ns.all_to_all(), weight="1 mV", port="push", name="static", **options)
    rule = ns.Rule(
        edge="w : mV; s : 1",
        pre="x : mV",
        post="y : 1",
        handlers=[("pre", "out += w * k * q; s = z * x / mV * y")],
        parameters={
            "k": 2,
            "z": ns.Parameter("1", 1, per="source"),
            "q": ns.Parameter("1", 1, per="target"),
        },
    )
    net.project(
        a,
        b,
        ns.where("i != j"),
        rule=rule,
        weight="1 mV",
        port="g",
        x="v_pre + 1*mV",
        q="i_post + 1",
        name="plastic",
    )
    net.poisson_drive(b, rate="(1 + i) * 10*Hz", weight="0.1 * twice", port="g", name="drive")
    return net


def pairs(run: ns.Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    edges = run.edges(name)
    return edges.sources, edges.targets


def test_text_sets_weights_from_both_ends_and_the_present_weight(backend):
    run = ns.prepare(network(), backend=backend)
    i, j = pairs(run, "static")
    run.set("static", w="2 * w + i * 1*mV + v_post")
    assert run.get("static", "w").tolist() == (2 + i + 10 * j).tolist()
    run.set("static", w="w + 1*mV * exp(-distance / (100*um)) + twice_pre + x_post/um * mV")
    expected = 2 + i + 10 * j + np.exp(-np.abs(i - j)) + 2 * i + 1 + 100 * j
    np.testing.assert_allclose(run.get("static", "w"), expected, rtol=1e-14)
    run.set("static", weight="5 mV")
    assert (run.get("static", "w", per_edge=True) == 5).all()


def test_text_reads_the_box_of_the_projection(backend):
    run = ns.prepare(network(box="300 um"), backend=backend)
    i, j = pairs(run, "static")
    run.set("static", w="distance / um * mV")
    away = np.abs(i - j) * 100
    assert run.get("static", "w").tolist() == np.minimum(away, 300 - away).tolist()


def test_text_sets_variables_and_parameters_of_rules(backend):
    run = ns.prepare(network(), backend=backend)
    i, j = pairs(run, "plastic")
    run.set("plastic", k="k + 1", s="k + i * j", w="w * (1 + s)")
    assert run.get("plastic", "k") == 3
    assert run.get("plastic", "s").tolist() == (3 + i * j).tolist()
    assert run.get("plastic", "w", per_edge=True).tolist() == [1.0] * len(i)
    run.set("plastic", z="i_pre / 2 + v_pre / mV", x="x + v_pre", q="q * 2 + N_post", y="j")
    assert run.get("plastic", "z").tolist() == [0, 1.5, 3, 4.5]
    assert run.get("plastic", "x").tolist() == [1, 3, 5, 7]
    assert run.get("plastic", "q").tolist() == [5, 7, 9]
    assert run.get("plastic", "y").tolist() == [0, 1, 2]


def test_values_of_one_end_and_drives_are_text_in_the_network(backend):
    run = ns.prepare(network(), backend=backend)
    assert run.get("plastic", "x").tolist() == [1, 2, 3, 4]
    assert run.get("plastic", "q").tolist() == [1, 2, 3]
    np.testing.assert_allclose(run.get("drive", "rate"), [10, 20, 30])
    np.testing.assert_allclose(run.get("drive", "weight"), [0.1, 2.2, 4.3])
    run.set("drive", rate="i * 5*Hz", weight="bias")
    np.testing.assert_allclose(run.get("drive", "rate"), [0, 5, 10])
    assert run.get("drive", "weight").tolist() == [1, 2, 3]


def test_definitions_are_read_in_conditions_and_weights(backend):
    net = network()
    net.project(
        net["a"],
        net["b"],
        ns.where("twice_pre > 2*mV and twice_post > 20*mV"),
        weight="twice_post - twice_pre",
        port="push",
        name="chosen",
    )
    run = ns.prepare(net, backend=backend)
    i, j = pairs(run, "chosen")
    assert i.tolist() == [1, 1, 2, 2, 3, 3]
    assert j.tolist() == [1, 2, 1, 2, 1, 2]
    assert run.get("chosen", "w").tolist() == (20 * j + j + 1 - 2 * i - 1).tolist()


def test_get_computes_definitions_of_present_states(backend):
    run = ns.prepare(network(), backend=backend)
    assert run.get("b", "twice").tolist() == [1, 22, 43]
    run.set("b", v="i * 1*mV", bias=0)
    assert run.get("b", "twice").tolist() == [0, 2, 4]
    assert run.get("a", "twice").tolist() == [1, 3, 5, 7]
    with pytest.raises(ns.NetworkError, match="definition 'felt', which reads an input or a ran"):
        run.get("b", "felt")
    with pytest.raises(ns.NetworkError, match="twice"):
        run.set("b", twice=3)


@pytest.mark.parametrize(
    ("owner", "values", "message"),
    [
        ("static", {"w": "w + 1"}, "'w \\+ 1'"),
        ("static", {"w": "u_post"}, "u_post"),
        ("static", {"w": "v * 2"}, "'v'"),
        ("static", {"w": "t * mV/ms"}, "depends on time"),
        ("static", {"w": "uniform() * ms"}, "is a time"),
        ("static", {"w": "uniform(0, 1) * mV"}, "uniform.. takes no arguments"),
        ("static", {"w": "xi * mV"}, "noise in continuous time"),
        ("plastic", {"k": "i"}, "'i', which differs between the edges of a projection"),
        ("plastic", {"z": "j + 1"}, "'j', which differs between the edges of a source"),
        ("plastic", {"s": 3, "q": "s"}, "'s', which differs between the edges of a target"),
        ("drive", {"rate": "-i * 1*Hz"}, "rate"),
    ],
)
def test_wrong_text_is_refused_and_changes_nothing(backend, owner, values, message):
    run = ns.prepare(network(), backend=backend)
    before = run.edges("plastic")["s"]
    with pytest.raises(ns.NetworkError, match=message):
        run.set(owner, **values)
    assert (run.edges("plastic")["s"] == before).all()


def test_wrong_text_of_one_end_is_refused_at_its_line():
    net = network()
    rule = ns.Rule(edge="w : mV", pre="x : mV", handlers=[("pre", "out += w + x")])
    for text, match in {
        "v_post": "reads 'v_post', expected names of the source neuron",
        "uniform() * mV": "has a random draw, expected names of the source neuron",
        "v_pre / (i_pre - i_pre)": "is not finite for neuron 0",
        "late_pre": "a definition that depends on time",
    }.items():
        with pytest.raises((ns.NetworkError, ns.ModelError), match=match):
            net.project(net["a"], net["b"], ns.all_to_all(), rule=rule, port="g", weight=1, x=text)
    assert set(net.projections) == {"static", "plastic"}


def test_text_gives_values_in_the_declared_unit(backend):
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell(
        "v : V; g : nS", parameters={"r": "1 V"}, receives={"g": ns.Port("nS", into="g")}
    )
    p = net.population("p", 2, cell, v=0.05)
    net.project(p, p, ns.all_to_all(), weight=2, name="e")
    run = ns.prepare(net, backend=backend)
    run.set(p, v="v + 5*mV", r="2 * r", g="i * 1000*pS")
    np.testing.assert_allclose(run.get(p, "v"), 0.055)
    assert run.get(p, "r").tolist() == [2, 2]
    np.testing.assert_allclose(run.get(p, "g"), [0, 1])
    run.set("e", w="w + g_post + 3*nS")
    np.testing.assert_allclose(run.get("e", "w"), [5, 6, 5, 6])


def test_text_reads_the_sizes_of_both_populations_and_draws_for_each_edge(backend):
    run = ns.prepare(network(), backend=backend)
    run.set("static", w="N_pre * 1*mV + N_post * 0.1*mV")
    assert run.get("static", "w", per_edge=True) == pytest.approx(np.full(9, 4.3))
    run.set("static", w="1*mV * uniform()")
    assert len(set(run.get("static", "w", per_edge=True))) == 9


def test_text_reads_the_row_of_a_table_that_the_next_step_reads(backend):
    net = ns.Network("net", dt="1 ms")
    a = net.population("a", 2, CELL, bias=ns.table([1, 2, 3], every="1 ms"))
    p = net.project(a, a, ns.all_to_all(), weight=0, port="push", name="p")
    run = ns.prepare(net, backend=backend)
    for row in (1, 2, 3):
        run.set(p, w="bias_pre + 10 * bias_post")
        assert run.get(p, "w", per_edge=True) == pytest.approx(np.full(4, 11.0 * row))
        run.run("1 ms")


def test_distances_are_those_of_positions_though_a_state_is_called_x(backend):
    cell = ns.Cell("x : um; v : mV", receives={"v": ns.Port("mV", into="v")}, initial={"x": 500})
    net = ns.Network("net", dt="1 ms")
    a = net.population("a", 2, cell, positions=[[0, 0, 0], [30, 40, 0]])
    p = net.project(a, a, ns.where("i != j"), weight=0, name="p")
    run = ns.prepare(net, backend=backend)
    run.set(p, w="distance / um * 1*mV + x_pre / um * 1*mV")
    assert run.get(p, "w", per_edge=True) == pytest.approx([550, 550])
