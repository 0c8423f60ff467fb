"""Equations of rules: solved between events, or integrated in each step, and the same in both."""

import math

import numpy as np
import pytest
from support.random_networks import FLOWING
from support.random_networks import RELAXING as RELAXING_RULE
from support.rule_networks import LISTENER

import neurosim as ns
from neurosim.models.plasticity import short_term

DT = 0.1
RATES = {"Omega": "10 Hz", "gamma": "0.02 kHz"}
OMEGA, GAMMA = 0.01, 0.02
RELAXING = "Omega * (1 - x) - gamma * x"
# Zero, but it reads the time: the same equation is integrated in each step.
STEPWISE = " + 0 * t / ms**2"
LEAKY = ns.Cell("dv/dt = -v / (5*ms) : 1", receives={"v": ns.Port("1", into="v")}, name="leaky")


def rule(equation, *, side="edge", unit="1", **options):
    """Return a rule with one variable x, to which a spike of the source adds 0.3."""
    variables = {side: f"dx/dt = {equation} : {unit}"}
    options = {"handlers": [("pre", "x += 0.3; out += x")], "parameters": RATES} | options
    return ns.Rule(**variables, **options)


def network(rule, *, connector=None, spikes=((99, 399), (199,)), record=True, **values):
    """Return two sources that spike when told to, and two targets."""
    net = ns.Network("net", dt=DT, seed=4)
    source = net.spike_source("source", 2, steps=[list(steps) for steps in spikes])
    target = net.population("target", 2, LEAKY)
    p = net.project(
        source, target, connector or ns.one_to_one(), rule=rule, port="v", name="p", **values
    )
    if record:
        net.record(p, *(v.name for v in rule.variables))
    return net


def run(rule, backend, time=60, **values):
    """Run, and return the recorded values of x."""
    result = ns.simulate(network(rule, **values), time, backend=backend)
    return result["p"].trace("x").values


def relaxed(x, elapsed, *, to=OMEGA / (OMEGA + GAMMA), rate=OMEGA + GAMMA):
    return to + (x - to) * np.exp(-rate * elapsed)


SIDES = pytest.mark.parametrize("side", ["edge", "pre", "post"])


@SIDES
def test_a_linear_equation_follows_its_closed_form_between_events(backend, side):
    """No spike arrives before 10 ms; rounding is all that remains."""
    quiet = rule(RELAXING, side=side, handlers=[("calm", "x = 0")])
    values = run(quiet, backend, 30, x=0.4)
    expected = relaxed(0.4, DT * np.arange(1, 301))
    np.testing.assert_allclose(values, np.broadcast_to(expected[:, None], values.shape), rtol=1e-13)


@pytest.mark.parametrize("side", ["edge", "pre"])
def test_events_change_the_variable_that_was_solved_up_to_them(backend, side):
    values = run(rule(RELAXING, side=side), backend, x=0.4)
    at_spike = relaxed(0.4, 10.0) + 0.3
    assert values[99, 0] == pytest.approx(at_spike, rel=1e-13)
    again = relaxed(at_spike, 30.0) + 0.3
    assert values[[399, 599], 0] == pytest.approx([again, relaxed(again, 20.0)], rel=1e-13)


EQUATIONS = {
    "relaxation": RELAXING,
    "rate": "-gamma * x",
    "growth": "gamma * x",
    "time constant": "(0.7 - x) / (30*ms)",
    "clock": "gamma",
    "definition": "speed * (rest - x)",
}
DEFINED = "speed = Omega + 5 / second : 1/ms; rest = Omega / (Omega + gamma) : 1"


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("side", ["edge", "pre"])
def test_solving_between_events_equals_integrating_in_each_step(backend, name, side):
    lazy, eager = (
        run(rule(EQUATIONS[name] + more, side=side, definitions=DEFINED), backend, x=0.4)
        for more in ("", STEPWISE)
    )
    np.testing.assert_allclose(lazy, eager, rtol=1e-12)
    assert not np.array_equal(lazy, np.full_like(lazy, 0.4))


def test_only_equations_without_a_closed_form_take_steps():
    report = ns.check(network(rule(RELAXING), x=0.4), backend="cpu")
    assert "In each step" not in str(report)
    report = ns.check(network(rule(RELAXING + STEPWISE), x=0.4), backend="cpu")
    assert "rule 'rule'. In each step x: exact." in str(report)
    report = ns.check(network(rule("-gamma * x * x", method="rk4"), x=0.4), backend="cpu")
    assert "In each step x: rk4 (fourth order)." in str(report)


@pytest.mark.parametrize("side, per", [("edge", "edge"), ("edge", "source"), ("edge", "target"),
                                       ("pre", "source"), ("post", "target")])  # fmt: skip
def test_coefficients_of_each_edge_or_neuron_are_its_own(backend, side, per):
    """Four edges of two sources and two targets."""
    count = 4 if per == "edge" else 2
    rates, rests = 0.01 * np.arange(1, count + 1), np.linspace(0.2, 0.9, count)
    relaxing = rule(
        "rate * (rest - x)",
        side=side,
        handlers=[("calm", "x = 0")],
        parameters={
            "rate": ns.Parameter("1/ms", rates, per=per),
            "rest": ns.Parameter("1", rests, per=per),
        },
    )
    values = run(relaxing, backend, 5, connector=ns.all_to_all(), x=0.4)
    owner = np.arange(count)
    if (side, per) == ("edge", "source"):
        owner = np.array([0, 0, 1, 1])
    elif (side, per) == ("edge", "target"):
        owner = np.array([0, 1, 0, 1])
    expected = relaxed(0.4, 5.0, to=rests[owner], rate=rates[owner])
    np.testing.assert_allclose(values[-1], expected, rtol=1e-13)


def test_each_delay_of_a_source_has_variables_of_its_own(backend):
    """The spike at 10 ms arrives after 0 and 10 ms."""
    values = run(
        rule(RELAXING, side="pre"),
        backend,
        connector=ns.all_to_all(),
        spikes=((99,), ()),
        delay=[0.0, 10.0, 0.0, 10.0],
        dendritic_fraction=0,
        x=0.4,
    )
    early, late = (relaxed(relaxed(0.4, 10.0 + d) + 0.3, 50.0 - d) for d in (0.0, 10.0))
    quiet = relaxed(0.4, 60.0)
    assert values[-1] == pytest.approx([early, late, quiet, quiet], rel=1e-13)


def test_parameters_that_are_set_act_from_that_moment_on(backend):
    """Both rates at once, after 10 ms; the value itself after another 10 ms."""
    quiet = rule(RELAXING, handlers=[("calm", "x = 0")])
    net = network(quiet, x=0.4)
    opened = ns.prepare(net, backend=backend)
    opened.run(10, progress=False)
    before = opened.get("p", "x")
    opened.set("p", Omega="50 Hz", gamma="100 Hz")
    np.testing.assert_array_equal(opened.get("p", "x"), before)
    opened.run(10, progress=False)
    middle = relaxed(relaxed(0.4, 10.0), 10.0, to=1 / 3, rate=0.15)
    assert opened.get("p", "x") == pytest.approx([middle, middle], rel=1e-13)
    opened.set("p", x=0.9)
    opened.run(10, progress=False)
    later = relaxed(0.9, 10.0, to=1 / 3, rate=0.15)
    assert opened.get("p", "x") == pytest.approx([later, later], rel=1e-13)
    assert opened.result()["p"].trace("x").values[[199, 299], 0] == pytest.approx([middle, later])


@pytest.mark.parametrize("equation", [RELAXING, "-gamma * x * x + xi * Omega**0.5"])
def test_snapshots_and_files_of_a_run_continue_it(backend, equation, tmp_path):
    net = network(rule(equation), x=0.4)
    straight = ns.prepare(net, backend=backend)
    straight.run(30, progress=False)
    snapshot = straight.snapshot()
    straight.save(tmp_path / "state.npz")
    straight.run(30, progress=False)
    expected = straight.get("p", "x")
    straight.restore(snapshot, clock=True)
    straight.run(30, progress=False)
    loaded = ns.prepare(net, backend=backend)
    loaded.load(tmp_path / "state.npz")
    loaded.run(30, progress=False)
    np.testing.assert_array_equal(straight.get("p", "x"), expected)
    np.testing.assert_array_equal(loaded.get("p", "x"), expected)


def test_a_signal_and_a_link_read_the_variable_as_it_is(backend):
    """A second projection copies x in each step; a signal reads it between two."""
    net = network(rule(RELAXING, side="pre", handlers=[("look", "x = 2 * x")]), x=0.4)
    source = net.populations["source"]
    target = net.populations["target"]
    first = net.projections["p"]
    copying = ns.Rule(
        edge="y : 1", handlers=[("step", "y = level")], reads={"level": first["x"].by("source")}
    )
    net.project(source, target, ns.one_to_one(), rule=copying, name="copy")
    opened = ns.prepare(net, backend=backend)
    opened.run(10, progress=False)
    expected = relaxed(0.4, 10.0)
    assert opened.get("copy", "y") == pytest.approx([expected, expected], rel=1e-13)
    opened.emit("look")
    assert opened.get("p", "x") == pytest.approx([2 * expected] * 2, rel=1e-13)
    opened.run(10, progress=False)
    assert opened.get("copy", "y")[0] == pytest.approx(relaxed(2 * expected, 10.0), rel=1e-13)


def test_a_sum_over_edges_adds_to_the_variable_as_it_is(backend):
    """Both sources spike at 10 ms and add to the variable of each target."""
    summing = rule(RELAXING, side="post", handlers=[("pre", "x += i_pre + 1")])
    values = run(summing, backend, 20, connector=ns.all_to_all(), spikes=((99,), (99,)), x=0.4)
    expected = relaxed(relaxed(0.4, 10.0) + 3, 10.0)
    assert values[-1] == pytest.approx([expected, expected], rel=1e-13)


def test_a_nonlinear_equation_is_integrated_by_the_method_of_its_rule(backend):
    """dx/dt = -r x**2 from 1 gives 1 / (1 + r t); errors of the methods' orders at 0.1 ms."""
    bounds = {"euler": (1e-4, 1e-2), "heun": (1e-8, 1e-4), "rk4": (0, 1e-10)}
    for method, (least, most) in bounds.items():
        falling = rule("-x**2 / (5*ms)", method=method, handlers=[("calm", "x = 0")])
        error = abs(run(falling, backend, 20, x=1.0)[-1, 0] - 1 / 5)
        assert least <= error <= most, method


def test_an_equation_reads_cells_links_and_other_variables_of_this_step(backend):
    """With all else held for a step, x moves by (1 - exp(-h)) of its distance from the sum."""
    net = ns.Network("net", dt=DT)
    fed = ns.Cell("dv/dt = (k - v) / (8*ms) : 1", parameters={"k": 1.0}, name="fed")
    source = net.population("source", 2, fed, v=[0.1, 0.2])
    target = net.population("target", 2, fed)
    glia = net.population("glia", 1, fed, v=0.5)
    following = ns.Rule(
        edge="dx/dt = rate * (v_pre + level + y - x) : 1",
        pre="dy/dt = -y / (10*ms) : 1",
        parameters={"rate": "0.2 kHz", "level": 0.0},
        handlers=[("step", "y = y")],
    ).reading(level=glia["v"])
    p = net.project(source, target, ns.one_to_one(), rule=following, name="p", x=0.0, y=1.0)
    net.record(p, "x")
    net.record(source, "v")
    net.record(glia, "v")
    result = ns.simulate(net, 5, backend=backend)
    v, level = result["source"].trace("v").values, result["glia"].trace("v").values
    x, expected = np.zeros(2), []
    for k in range(50):
        x = x + (1 - math.exp(-0.2 * DT)) * (v[k] + level[k] + math.exp(-(k + 1) * DT / 10) - x)
        expected.append(x)
    np.testing.assert_allclose(result["p"].trace("x").values, expected, rtol=1e-12)


def test_an_equation_reads_a_definition_of_a_cell(backend):
    """The drive is 1, so x is the time in ms."""
    driven = ns.Cell("dv/dt = drive / ms : 1; drive = k * 2 : 1", parameters={"k": 0.5})
    net = ns.Network("net", dt=DT)
    cells = net.population("cells", 2, driven)
    counting = ns.Rule(edge="dx/dt = drive_post / ms : 1")
    net.project(cells, cells, ns.one_to_one(), rule=counting, name="p")
    opened = ns.prepare(net, backend=backend)
    opened.run(5, progress=False)
    assert opened.get("p", "x") == pytest.approx([5.0, 5.0], rel=1e-12)


def test_coupled_linear_equations_are_exact_together(backend):
    """A spike drives x, which drives y: y is an alpha function, t / tau exp(-t / tau)."""
    alpha = ns.Rule(
        pre="dx/dt = -x / tau : 1; dy/dt = (x - y) / tau : 1",
        handlers=[("pre", "x += 1")],
        parameters={"tau": "7 ms"},
    )
    net = network(alpha, spikes=((50,), ()))
    values = ns.simulate(net, 30, backend=backend)["p"].trace("y").values[:, 0]
    elapsed = DT * np.arange(250) / 7
    np.testing.assert_allclose(values[50:], elapsed * np.exp(-elapsed), rtol=1e-11, atol=1e-15)


@SIDES
def test_noise_differs_between_elements_and_has_its_variance(backend, side):
    """x wanders with sigma: after 20 ms the variance is sigma**2 20 ms, over 400 of each."""
    wandering = ns.Rule(
        **{side: "dx/dt = sigma * xi : 1"},
        handlers=[("calm", "x = 0")],
        parameters={"sigma": ns.Parameter("1/ms**0.5", 0.3)},
    )
    net = ns.Network("net", dt=DT, seed=9)
    source, target = net.population("source", 400, LEAKY), net.population("target", 400, LEAKY)
    net.project(source, target, ns.one_to_one(), rule=wandering, name="p")
    opened = ns.prepare(net, backend=backend)
    opened.run(20, progress=False)
    x = opened.get("p", "x")
    assert len(np.unique(x)) == 400
    assert np.var(x) == pytest.approx(0.09 * 20, rel=4 * math.sqrt(2 / 400))


def test_resources_written_directly_equal_those_of_the_library(backend):
    """Tsodyks and Markram: u relaxes to U and x to 1; the library counts what is spent, and u from
    0. Its u rises to U (1 - u) + u at a spike, and so does this one, from U - U.
    """
    generator = np.random.default_rng(3)
    spikes = [np.sort(generator.choice(2000, 40, replace=False)) + 1 for _ in range(2)]
    direct = ns.Rule(
        edge="w : nA",
        pre="du/dt = (0 - u) / tau_f : 1; dx/dt = (1 - x) / tau_d : 1",
        handlers=[("pre", "u += U * (1 - u); out += w * u * x; x -= u * x")],
        parameters={"U": 0.2, "tau_f": "100 ms", "tau_d": "150 ms"},
    )
    library = short_term(U=0.2, tau_rec="150 ms", tau_facil="100 ms")
    heard = []
    for candidate, values in ((direct, {"x": 1.0}), (library, {})):
        net = ns.Network("net", dt=DT)
        source, target = net.spike_source("s", 2, steps=spikes), net.population("t", 2, LISTENER)
        values |= {"rule": candidate, "weight": "1 nA", "port": "synaptic"}
        net.project(source, target, ns.one_to_one(), name="p", **values)
        net.record(target, "heard")
        heard.append(ns.simulate(net, 210, backend=backend)["t"].trace("heard").values)
    np.testing.assert_allclose(heard[0], heard[1], rtol=1e-12)
    assert heard[0][-1].min() > 1


def test_facilitation_that_relaxes_to_U_follows_its_closed_form(backend):
    """du/dt = (U - u) / tau_f, as most scripts write it: u before the second spike."""
    facilitating = ns.Rule(
        edge="w : 1",
        pre="du/dt = (U - u) / tau_f : 1",
        handlers=[("pre", "u += U * (1 - u); out += w * u")],
        parameters={"U": 0.2, "tau_f": "100 ms"},
    )
    net = network(facilitating, spikes=((99, 399), ()), weight=1.0, u=0.2)
    values = ns.simulate(net, 50, backend=backend)["p"].trace("u").values[:, 0]
    first = 0.2 + 0.2 * 0.8
    before = relaxed(first, 30.0, to=0.2, rate=0.01)
    assert values[[99, 399]] == pytest.approx([first, before + 0.2 * (1 - before)], rel=1e-13)


def busy(rule, delays):
    """Return 70 cells, driven by noise, that learn from each other by a rule."""
    cell = ns.Cell(
        "dv/dt = (drive - v) / (10*ms) + 0.3 * xi / ms**0.5 : 1",
        parameters={"drive": 0.7},
        receives={"v": ns.Port("1", into="v")},
        spike="v > 1",
        after_spike="v = 0",
    )
    net = ns.Network("busy", dt="0.25 ms", seed=8)
    cells = net.population("cells", 70, cell)
    connector = ns.fixed_probability(0.4)
    net.project(cells, cells, connector, rule=rule, weight=0.1, port="v", name="p", **delays)
    net.record(cells, "spikes")
    net.record(net.projections["p"], *(v.name for v in rule.variables), every="5 ms")
    return net


DELAYS = {
    "no delays": {},
    "delays that differ": {
        "delay": ns.uniform(0, 2),
        "round_delays": True,
        "dendritic_fraction": 0.5,
        "back": ns.uniform(0, 1),
    },
}


def outcome(net, backend, **options):
    """Return all that was recorded in 50 ms, with a signal in the middle if the rule has one."""
    opened = ns.prepare(net, backend=backend, **options)
    opened.run(30, progress=False)
    if net.projections["p"].rule.signals:
        opened.emit("reward")
    opened.run(20, progress=False)
    return opened.result()


@pytest.mark.parametrize("rule", [RELAXING_RULE, FLOWING], ids=["relaxing", "flowing"])
@pytest.mark.parametrize("delays", DELAYS)
def test_equations_have_the_bits_of_the_reference(backend, rule, delays):
    net = busy(rule, DELAYS[delays])
    expected, recording = outcome(net, "reference"), outcome(net, backend)
    assert recording["cells"].spikes == expected["cells"].spikes
    for variable in (v.name for v in rule.variables):
        values = recording["p"].trace(variable).values
        np.testing.assert_array_equal(values, expected["p"].trace(variable).values, variable)
    assert len(expected["cells"].spikes.index) > 50


@pytest.mark.parametrize("rule", [RELAXING_RULE, FLOWING], ids=["relaxing", "flowing"])
def test_float32_rounds_equations_and_does_not_depend_on_threads(rule):
    net = busy(rule, {})
    one, two = (outcome(net, "cpu", precision="float32", threads=n) for n in (1, 2))
    assert one["cells"].spikes == two["cells"].spikes
    for v in rule.variables:
        values = (r["p"].trace(v.name).values for r in (one, two))
        np.testing.assert_array_equal(*values, v.name)
    first = {v.name: one["p"].trace(v.name).values[0] for v in rule.variables}
    exact = outcome(net, "cpu")
    for variable, values in first.items():
        expected = exact["p"].trace(variable).values[0]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
