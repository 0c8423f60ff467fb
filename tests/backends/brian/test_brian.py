"""Rungs 4 and 5: Brian 2 as the oracle, given our statements (equal to the last bit), and Brian 2
integrating the equations itself.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rule_networks import FAMILY, LISTENER, trains
from support.stories import FRESH, SAME, SEED, lively, played

import neurosim as ns
from neurosim.models import cells
from neurosim.models.balanced_networks import coba
from neurosim.models.ca3_memory.experiment import (
    EXPERIMENTS,
    PUBLISHED,
    counts,
    play,
    predicted,
    spikes,
)
from neurosim.models.plasticity import stdp, three_factor

if find_spec("brian2") is None:
    pytest.skip("brian2 is not installed", allow_module_level=True)


def compared(story: rn.Story) -> list[str]:
    """Name the differences between the fast engine and Brian 2, given the same statements."""
    return rn.differences(rn.outcome(played(story, "cpu")), rn.outcome(played(story, "brian")))


# ---- rung 4: the same statements, the same bits


@SEED
@settings(SAME, max_examples=20)
@given(rn.stories())
def test_random_networks_have_the_same_bits_in_brian(story):
    assert compared(story) == []


@pytest.mark.slow
@settings(FRESH, max_examples=300)
@given(rn.stories())
def test_hundreds_of_fresh_random_networks_have_the_same_bits_in_brian(story):
    assert compared(story) == []


DELAYS = {
    "none": {},
    "equal": {"delay": "3 ms", "dendritic_fraction": 0.0, "back": "1 ms"},
    "dendritic": {"delay": "2 ms"},
    "heterogeneous": {
        "delay": np.array([0.0, 1, 2, 3, 0, 5]),
        "dendritic_fraction": 0.0,
        "back": np.array([1.0, 0, 2, 0, 3, 1]),
    },
    "each": {"delay": np.array([0.0, 1, 2, 3, 0, 5])},
}


def story_of(rule: ns.Rule, delays: str = "heterogeneous", **values) -> rn.Story:
    """Six edges of sources and targets that spike at random, often in the same step."""
    pre, post = trains(4, edges=6, steps=200)
    net = ns.Network("rule", dt="1 ms", seed=2)
    source = net.spike_source("source", 6, steps=pre)
    teacher = net.spike_source("teacher", 6, steps=[steps - 1 for steps in post])
    target = net.population("target", 6, LISTENER)
    net.project(teacher, target, ns.one_to_one(), weight=1.0, port="go")
    net.project(
        source,
        target,
        ns.one_to_one(),
        rule=rule,
        port="synaptic",
        name="edge",
        **({"weight": 0.5} | DELAYS[delays] | values),
    )
    net.record(target, "heard")
    net.record(net["edge"], "w", every="10 ms")
    return rn.Story(net, [("run", 200)])


@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize("name", FAMILY)
def test_every_rule_of_the_library_has_the_same_bits_in_brian(name, delays):
    story = story_of(FAMILY[name], delays)
    run = played(story, "brian")
    assert rn.differences(rn.outcome(played(story, "cpu")), rn.outcome(run)) == []
    assert run.result()["target"].trace("heard").values.any()


def test_the_three_factor_rule_has_the_same_bits_in_brian():
    net = ns.Network("gated", dt="1 ms", seed=5)
    source = net.poisson("source", 30, rate=40)
    teacher = net.population(
        "teacher",
        3,
        ns.Cell(
            "bump : 1",
            step="bump = exp(-((t - 20 * ms * (i + 1)) / (10 * ms)) ** 2)",
            name="teacher",
        ),
    )
    rule = three_factor(eta="5 ms**2", mean=0.02).reading(target=teacher["bump"].by("target"))
    readout = net.project(
        source,
        teacher,
        ns.fixed_probability(0.5),
        rule=rule,
        weight=ns.uniform(0, "0.1 ms"),
        name="readout",
    )
    net.record(readout, "q", "z", "w")
    story = rn.Story(net, [("run", 120)])
    assert compared(story) == []
    assert np.ptp(played(story, "brian").result()["readout"].trace("q").values) > 0.1


def astrocyte(a_minus: float = 0.05) -> rn.Story:
    """A recurrent network whose depression follows an astrocyte that adds up its spikes and forgets
    them.
    """
    net = ns.Network("glia", dt="1 ms", seed=8)
    liquid = net.population(
        "liquid", 60, cells.lif(tau="20 ms"), current=ns.uniform("0.1 nA", "0.3 nA")
    )
    glia = net.population(
        "glia",
        1,
        ns.Cell(
            "dlevel/dt = -level / tau : 1",
            parameters={"tau": "50 ms"},
            receives={"drive": ns.Port("1", into="level")},
            name="astrocyte",
        ),
    )
    net.project(liquid, glia, ns.all_to_all(), weight=0.02, port="drive")
    rule = stdp(a_plus=0.03, w_max="2 nA", relative=True).reading(a_minus=glia["level"])
    loop = net.project(
        liquid,
        liquid,
        ns.fixed_probability(0.2),
        weight=ns.uniform("0.2 nA", "1 nA"),
        delay=ns.uniform("0 ms", "6 ms"),
        round_delays=True,
        port="synaptic",
        rule=rule,
        name="loop",
    )
    net.record(liquid, "spikes")
    net.record(glia, "level")
    net.record(loop, "w", every="50 ms")
    return rn.Story(net, [("run", 300)])


def test_stdp_modulated_by_an_astrocyte_has_the_same_bits_in_brian():
    story = astrocyte()
    assert compared(story) == []
    result = played(story, "brian").result()
    assert result["liquid"].spikes.index.size > 200
    assert result["glia"].trace("level").values.max() > 0.1
    assert (
        np.abs(result["loop"].trace("w").values[-1] - result["loop"].trace("w").initial).max() > 0.3
    )


@pytest.mark.parametrize("name", ["E1", "E2", "E3"])
def test_every_spike_of_the_ca3_experiments_is_where_the_published_tables_put_it_in_brian(name):
    played = play(EXPERIMENTS[name](), "brian")
    assert counts(played) == PUBLISHED[name]
    measured, expected = spikes(played), predicted(played.experiment.schedule)
    assert {
        population: measured[population] ^ expected[population] for population in expected
    } == dict.fromkeys(expected, set())


# ---- the comparison must see the smallest fault


def test_the_comparison_with_brian_sees_one_ulp_in_one_weight():
    story = lively()
    nudged = ns.prepare(story.net, backend="brian")
    weights = nudged.get("plastic", "w")
    weights[7] = np.nextafter(weights[7], 1.0)
    nudged.set("plastic", w=weights)
    differing = rn.differences(
        rn.outcome(played(story, "cpu", [("run", 1)])), rn.outcome(rn.play(nudged, [("run", 1)]))
    )
    assert len(differing) == 1
    assert "'plastic', 'w'" in differing[0]
    assert "1 of" in differing[0]
    assert "first at 7" in differing[0]


def test_the_comparison_with_brian_sees_one_spike_moved_by_a_step():
    story = story_of(stdp())
    steps = trains(4, edges=6, steps=200)[0]
    moved = ns.prepare(story.net, backend="brian")
    steps[3] = np.append(steps[3][:-1], steps[3][-1] + 1)
    moved.set("source", steps=steps)
    assert (
        rn.differences(rn.outcome(played(story, "cpu")), rn.outcome(rn.play(moved, story.actions)))
        != []
    )


def test_the_comparison_with_brian_sees_two_handlers_swapped():
    swapped = ns.Rule(
        pre="dx/dt = -x / tau_x : 1",
        post="dy/dt = -y / tau_y : 1",
        edge="w : 1",
        name="pair",
        handlers=[
            ("post", "w = min(w + step_up * x, 1); y += 1"),
            ("pre", "w = clip(w - 0.1 * y, -1, 1); out += w; x += 1"),
        ],
        parameters={
            "tau_x": "10 ms",
            "tau_y": "7 ms",
            "step_up": ns.Parameter("1", 0.1, per="source"),
        },
    )
    assert {h.trigger: h.statements for h in swapped.handlers} == {
        h.trigger: h.statements for h in rn.PAIR.handlers
    }
    assert (
        rn.differences(
            rn.outcome(played(lively(), "cpu")), rn.outcome(played(lively(swapped), "brian"))
        )
        != []
    )
    assert (
        rn.differences(
            rn.outcome(played(lively(swapped), "cpu")), rn.outcome(played(lively(swapped), "brian"))
        )
        == []
    )


# ---- a run in Brian 2 is a run


@SEED
@settings(SAME, max_examples=6)
@given(rn.stories(), st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_a_run_in_brian_in_pieces_by_way_of_files_and_snapshots_equals_a_whole_run(
    tmp_path_factory, story, pieces
):
    """Spikes in flight, decays, refractoriness and random numbers travel from one network of Brian
    2 to the next.
    """
    whole = rn.outcome(played(story, "brian", [("run", sum(pieces) + 4)]))
    run = ns.prepare(story.net, backend="brian")
    for steps in pieces:
        rn.play(run, [("run", steps), ("rewind", 3, True)])
        path = tmp_path_factory.mktemp("state") / "state.npz"
        run.save(path)
        run = ns.prepare(story.net, backend="brian")
        run.load(path)
    assert rn.differences(whole, rn.outcome(rn.play(run, [("run", 4)]))) == []


def test_a_value_that_is_not_finite_ends_a_run_in_brian_where_it_ends_the_reference():
    outcomes = []
    for backend in ("reference", "brian"):
        net = ns.Network("bursting", dt="1 ms")
        p = net.population(
            "p", 3, ns.Cell("v : 1", step="v = 3 * v * v + 1", name="growing"), v=[0.0, 1.0, 5.0]
        )
        net.record(p, "v")
        with pytest.raises(
            ns.SimulationError, match=r"population 'p', neuron 2: v is inf at \d+ ms"
        ) as caught:
            ns.simulate(net, "20 ms", backend=backend, progress=False)
        outcomes.append((str(caught.value), caught.value.recording["p"].trace("v").values))
    assert outcomes[0][0] == outcomes[1][0]
    np.testing.assert_array_equal(outcomes[0][1], outcomes[1][1])


def test_a_run_in_brian_leaves_errors_ctrl_c_and_preferences_of_the_process_alone():
    script = """
import signal, sys
before = sys.excepthook, signal.getsignal(signal.SIGINT)
import neurosim as ns
net = ns.Network("plain", dt=1)
net.population("p", 1, ns.Cell("v : 1", step="v = v + 1"))
ns.simulate(net, "3 ms", backend="brian", progress=False)
import brian2, warnings
warnings.warn("mine")
unchanged = (sys.excepthook, signal.getsignal(signal.SIGINT)) == before
loop_invariants = brian2.prefs["codegen.loop_invariant_optimisations"]
print(unchanged, brian2.prefs["codegen.target"], loop_invariants)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "auto", "True"]
    assert "UserWarning: mine" in done.stderr and "py.warnings" not in done.stderr


def test_the_source_of_a_run_in_brian_is_what_brian_runs():
    run = ns.prepare(story_of(stdp()).net, backend="brian")
    assert "synapses" in run.source and "exp_fn(" in run.source and "pick(" in run.source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mode": "equation"},
            r"backend 'brian': there is no mode 'equation'.*equations, statements. "
            r"Name one of them with mode=",
        ),
        ({"threads": 2}, r"backend 'brian'.*no option 'threads'.*mode, replica"),
        ({"replica": -1}, r"backend 'brian', replica: found -1"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, message):
    net = ns.Network("plain", dt=0.1)
    net.population("p", 1, cells.lif())
    with pytest.raises(ns.NetworkError, match=message):
        ns.prepare(net, backend="brian", **options)


def test_names_that_differ_by_an_underscore_stay_apart():
    cell = ns.Cell(
        "dv/dt = (v_ - v) / tau : 1; dv_/dt = (1 - v_) / (2 * tau) : 1",
        parameters={"tau": "5 ms"},
        method="euler",
    )
    net = ns.Network("alike", dt=0.1)
    net.record(net.population("p", 3, cell), "v", "v_")
    assert compared(rn.Story(net, [("run", 20)])) == []


def test_preferences_of_a_script_of_brian_change_nothing_here():
    import brian2

    changed = {
        "core.network.default_schedule": [
            "start",
            "groups",
            "synapses",
            "thresholds",
            "resets",
            "end",
        ],
        "core.default_float_dtype": np.float32,
    }
    before = {name: brian2.prefs[name] for name in changed}
    net = driven(cells.lif(), 1.0, "synaptic")
    expected = (
        ns.simulate(net, "30 ms", backend="brian", mode="equations", progress=False)["target"]
        .trace("v")
        .values
    )
    try:
        for name, value in changed.items():
            brian2.prefs[name] = value
        assert compared(lively()) == []
        np.testing.assert_array_equal(
            ns.simulate(net, "30 ms", backend="brian", mode="equations", progress=False)["target"]
            .trace("v")
            .values,
            expected,
        )
        assert {name: brian2.prefs[name] for name in changed} == changed
        brian2.set_device("cpp_standalone")
        with pytest.raises(
            ns.NetworkError,
            match=(
                r"found Brian 2 set to CPPStandaloneDevice, expected its runtime. "
                r"Call brian2.set_device\('runtime'\)"
            ),
        ):
            ns.prepare(net, backend="brian")
    finally:
        brian2.set_device("runtime")
        for name, value in before.items():
            brian2.prefs[name] = value


# ---- rung 5: Brian 2 integrates the equations


def driven(make, weight: float, port: str, *, dt: float = 0.1) -> ns.Network:
    """Three cells that the same twenty sources drive."""
    net = ns.Network("driven", dt=dt, seed=3)
    source, target = net.bernoulli("source", 20, p=0.2 * dt), net.population("target", 3, make)
    net.project(source, target, ns.all_to_all(), weight=weight, port=port, delay="1 ms")
    net.record(target, "v", "spikes")
    return net


# Cell, weight, port, dt, and Brian 2's method, which is the same scheme as ours.
INTEGRATED = {
    "lif": (cells.lif(), 1.0, "synaptic", 0.1, "exact"),
    "lif_delta": (cells.lif_delta(), 4.0, "synaptic", 0.1, "exact"),
    "lif_exponential": (cells.lif_exponential(), 3.0, "excitatory", 0.1, "exact"),
    "lif_conductance": (
        cells.lif_conductance(method="exponential_euler"),
        0.03,
        "excitatory",
        0.1,
        "exponential euler",
    ),
    "hodgkin_huxley": (
        cells.hodgkin_huxley(method="exponential_euler"),
        0.03,
        "excitatory",
        0.05,
        "exponential euler",
    ),
    "adex": (cells.adex_exponential(method="rk4"), 0.9, "excitatory", 0.05, "rk4"),
    "izhikevich_2007": (cells.izhikevich_2007(method="rk4"), 0.2, "synaptic", 0.1, "rk4"),
    "euler": (cells.izhikevich_2007(method="euler"), 0.2, "synaptic", 0.1, "euler"),
}


@pytest.mark.parametrize("name", INTEGRATED)
def test_equations_that_brian_integrates_by_the_same_scheme_give_our_results_up_to_rounding(name):
    cell, weight, port, dt, method = INTEGRATED[name]
    net = driven(cell, weight, port, dt=dt)
    report = ns.check(net, backend="brian", mode="equations")
    assert [row.status for row in report.rows if str(row.place) == "population 'target'"] == [
        "approximated"
    ]
    assert repr(method) in str(report)
    ours = ns.simulate(net, "150 ms", backend="cpu", progress=False)["target"]
    theirs = ns.simulate(net, "150 ms", backend="brian", mode="equations", progress=False)["target"]
    assert theirs.spikes == ours.spikes and ours.spikes.index.size > 50
    np.testing.assert_allclose(theirs.trace("v").values, ours.trace("v").values, rtol=0, atol=1e-9)


def test_heun_becomes_brians_method_of_the_same_order_since_its_heun_is_eulers_without_noise():
    net = driven(cells.izhikevich_2007(method="heun"), 0.2, "synaptic", dt=0.02)
    assert "'rk2'" in str(ns.check(net, backend="brian", mode="equations"))
    ours = ns.simulate(net, "30 ms", backend="cpu", progress=False)["target"]
    theirs = ns.simulate(net, "30 ms", backend="brian", mode="equations", progress=False)["target"]
    assert ours.spikes.index.size == theirs.spikes.index.size > 5
    assert 0 < np.median(np.abs(theirs.trace("v").values - ours.trace("v").values)) < 2e-3


def test_a_balanced_network_fires_at_the_same_rate_when_brian_integrates_it():
    rates = [
        ns.simulate(coba(2000, seed=2), "200 ms", backend=backend, progress=False, **mode)[
            "neurons"
        ].spikes.index.size
        / 2000
        / 0.2
        for backend, mode in (("cpu", {}), ("brian", {"mode": "equations"}))
    ]
    assert 5 < rates[0] < 60 and abs(rates[1] - rates[0]) < 0.1 * rates[0]


def test_white_noise_is_brians_own_and_has_our_strength():
    """The stationary deviation of an Ornstein-Uhlenbeck process is sigma * sqrt(tau / 2)."""
    cell = ns.Cell(
        "dv/dt = -v / tau + sigma * xi : mV",
        parameters={"tau": "5 ms", "sigma": "2 mV / ms**0.5"},
        name="noisy",
    )
    traces = []
    for seed in (1, 1, 2):
        net = ns.Network("noise", dt="0.1 ms", seed=seed)
        net.record(net.population("p", 500, cell), "v", every="20 ms")
        state = np.random.get_state()[1].copy()
        traces.append(
            ns.simulate(net, "200 ms", backend="brian", mode="equations", progress=False)["p"]
            .trace("v")
            .values
        )
        # NumPy's global stream is left as it was
        np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(traces[0], traces[1])
    assert not np.array_equal(traces[0], traces[2])
    assert abs(traces[0][3:].std() / (2 * np.sqrt(5 / 2)) - 1) < 0.05
    assert "white noise is Brian 2's own" in str(ns.check(net, backend="brian", mode="equations"))


def test_white_noise_goes_on_after_a_snapshot_and_differs_between_replicas():
    net = ns.Network("noise", dt="0.1 ms", seed=4)
    net.population(
        "p",
        5,
        ns.Cell(
            "dv/dt = -v / tau + sigma * xi : 1", parameters={"tau": "5 ms", "sigma": "1 / ms**0.5"}
        ),
    )
    whole, parts, other = (
        ns.prepare(net, backend="brian", mode="equations", replica=replica) for replica in (0, 0, 3)
    )
    for run in (whole, other):
        run.run(3, progress=False)
    parts.run(1, progress=False)
    snapshot = parts.snapshot()
    parts.run(1, progress=False)
    parts.restore(snapshot, clock=True)
    parts.run(2, progress=False)
    np.testing.assert_array_equal(whole.get("p", "v"), parts.get("p", "v"))
    assert not np.array_equal(whole.get("p", "v"), other.get("p", "v"))


TWO = "dx/dt = (y - x) / tau : 1; dy/dt = {} : 1"


@pytest.mark.parametrize(
    "equations",
    [
        "dx/dt = b / tau : 1",
        TWO.format("(x - y) / tau"),
        TWO.format("-x / tau"),
        TWO.format("-y / tau"),
        "dx/dt = -(x > 0.3) * x / tau : 1",
        "dxi_1/dt = -xi_1 / tau : 1",
        "dx/dt = sin(t / tau) / tau - x / tau : 1",
    ],
    ids=["constant", "coupled", "oscillator", "equal", "switched", "named like noise", "driven"],
)
def test_equations_that_brians_exact_method_divides_by_zero_for_are_integrated_by_another(
    equations,
):
    cell = ns.Cell(equations, parameters={"tau": "5 ms", "b": 0.5})
    net = ns.Network("linear", dt="0.1 ms")
    first = cell.states[0].name
    net.record(net.population("p", 2, cell, **{first: [0.2, 1.0]}), first)
    ours, theirs = (
        ns.simulate(net, "20 ms", backend=backend, progress=False, **mode)["p"].trace(first).values
        for backend, mode in (("cpu", {}), ("brian", {"mode": "equations"}))
    )
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=0.01)


def test_time_constants_that_become_equal_during_a_run_choose_another_method():
    net = driven(cells.lif(tau="20 ms", tau_syn="5 ms"), 1.0, "synaptic")
    run = ns.prepare(net, backend="brian", mode="equations")
    run.run(5, progress=False)
    run.set("target", tau="5 ms")
    run.run(5, progress=False)
    assert np.isfinite(run.get("target", "v")).all() and run.engine.cells["target"].method == "rk4"


def test_what_brian_refuses_after_all_is_said_at_prepare_with_the_population():
    net = ns.Network("odd", dt="0.1 ms")
    net.population("p", 1, ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "5 ms"}))
    net.population(
        "odd", 1, ns.Cell("du/dt = -u**2 / tau : 1", parameters={"tau": "5 ms"}, method="euler")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurosim.backends.brian.equations.method_of", lambda cell: "exact")
        with pytest.raises(
            ns.LoweringError,
            match=(
                r"population 'odd': Brian 2 cannot take it \(.*linear.*\). "
                r"Name method='euler' or 'rk4'"
            ),
        ):
            ns.prepare(net, backend="brian", mode="equations")


def test_what_brian_refuses_leaves_no_warning_of_objects_that_never_ran():
    from brian2.utils.logger import catch_logs

    net = ns.Network("odd", dt="0.1 ms")
    cell = ns.Cell("du/dt = -u**2 / tau : 1", parameters={"tau": "5 ms"}, method="euler")
    net.population("odd", 1, cell)
    with catch_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurosim.backends.brian.equations.method_of", lambda cell: "exact")
        with pytest.raises(ns.LoweringError):
            ns.prepare(net, backend="brian", mode="equations")
        gc.collect()
    assert logs == []


@pytest.mark.parametrize(
    ("method", "scheme"),
    [
        ("exact", "up to rounding; where time constants are equal, or a state has none, by its"),
        ("exponential_euler", "the same up to rounding; not finite where the coefficient of"),
        ("rk4", "the same up to rounding."),
    ],
)
def test_the_report_says_how_near_the_scheme_of_brian_is_to_ours(method, scheme):
    net = ns.Network("one", dt="1 ms")
    cell = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "5 ms"}, method=method)
    net.population("p", 1, cell)
    report = ns.check(net, backend="brian", mode="equations")
    (row,) = (row for row in report.rows if str(row.place) == "population 'p'")
    assert scheme in row.reason


def test_the_report_says_what_becomes_of_step_statements_and_what_brian_cannot_integrate():
    net = ns.Network("mixed", dt="1 ms")
    net.population("izhikevich", 1, cells.izhikevich(synapse="delta"))
    net.population("stepped", 1, rn.STEPPED)
    net.population(
        "multiplied",
        1,
        ns.Cell(
            "dv/dt = -v / tau + v * sigma * xi : 1",
            parameters={"tau": "5 ms", "sigma": "0.1 / ms**0.5"},
        ),
    )
    net.spike_source("given", 1, steps=[[1]])
    assert ns.check(net, backend="brian").possible
    rows = {str(row.place): row for row in ns.check(net, backend="brian", mode="equations").rows}
    assert rows["population 'izhikevich'"].status == "approximated"
    assert "its step statements are left out" in rows["population 'izhikevich'"].reason
    assert rows["population 'stepped'"].status == "impossible"
    assert "no derivatives stand beside them for u, v" in rows["population 'stepped'"].reason
    assert rows["population 'multiplied'"].status == "impossible"
    assert "noise of v depends on a state or on time" in rows["population 'multiplied'"].reason
    assert rows["population 'given'"].status == "exact"
    with pytest.raises(
        ns.LoweringError,
        match=r"population 'stepped': it is stepped by statements.* Use mode='statements'",
    ):
        ns.prepare(net, backend="brian", mode="equations")
