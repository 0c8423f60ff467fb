"""Handlers of rules that change states of the cells at both ends, in phase 4 of a step."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.analysis.comparison import compare

LEAKY = ns.Cell(
    """dv/dt = -v / tau : mV
       theta : mV
       last : ms""",
    parameters={"tau": "10 ms"},
    receives={"push": ns.Port("mV", into="v")},
    spike="v > 10*mV + theta",
    after_spike="v = 0*mV",
    refractory=ns.Refractory("1 ms", freezes="v"),
    initial={"last": "-1 ms"},
    name="leaky",
)


def network(
    rule: ns.Rule, *, delay: object = "0 ms", steps: object = None, size: int = 2
) -> ns.Network:
    net = ns.Network("net", dt="0.5 ms", seed=1)
    source = net.spike_source("source", 2, steps=steps or [[2, 5], [2]])
    target = net.population("target", size, LEAKY)
    net.project(
        source,
        target,
        ns.all_to_all(),
        rule=rule,
        port="push",
        weight="1.5 mV",
        delay=delay,
        name="e",
    )
    net.record(target, "v", "theta", "last", "spikes")
    return net


def test_a_sum_is_added_once_and_shows_in_the_step_of_its_event(backend):
    rule = ns.Rule(edge="w : mV", handlers=[("pre", "v_post += w")])
    result = ns.simulate(network(rule), "5 ms", backend=backend)["target"]
    v = result.trace("v").values[:, 0]
    decay = np.exp(-0.05)
    # Both sources at step 2, one at 5: without a delay the sample of the step has the jump.
    assert v[:2].tolist() == [0, 0]
    assert v[2] == 3
    np.testing.assert_allclose(v[3:5], 3 * decay ** np.array([1, 2]), rtol=1e-14)
    np.testing.assert_allclose(v[5], 3 * decay**3 + 1.5, rtol=1e-14)


def test_several_statements_see_those_before(backend):
    rule = ns.Rule(
        edge="w : mV; seen : mV",
        handlers=[("pre", "v_post += w; seen = v_post; theta_post += 0.1*mV; last_post = t")],
    )
    net = network(rule, delay="1 ms")
    net.record(net["e"], "seen")
    result = ns.simulate(net, "5 ms", backend=backend)
    assert result["e"].trace("seen").values[1].tolist() == [0, 0, 0, 0]
    # A dendritic delay stands behind the rule: its handler runs at once.
    assert result["e"].trace("seen").values[2].tolist() == [3, 3, 3, 3]
    assert result["target"].trace("theta").values[[2, 5], 0].tolist() == [0.2, 0.2 + 0.1]
    assert result["target"].trace("last").values[[1, 2, 5], 1].tolist() == [-1, 1, 2.5]


def test_the_reset_follows_and_overwrites(backend):
    rule = ns.Rule(edge="w : mV", handlers=[("pre", "v_post += 8 * w; theta_post -= 0.5*mV")])
    result = ns.simulate(network(rule), "5 ms", backend=backend)["target"]
    # 24 mV at step 2 are found in step 3; of its refractory steps 4 and 5, the event is in 5.
    assert result.spikes.step.tolist() == [3, 3]
    v = result.trace("v").values[:, 0]
    assert v[2] == 24
    assert v[3:6].tolist() == [0, 0, 0]
    # A state that is not frozen is changed then, too.
    assert result.trace("theta").values[[2, 5], 0].tolist() == [-1, -1.5]


def test_a_spike_of_the_target_changes_its_cell_once(backend):
    rule = ns.Rule(
        edge="w : mV",
        handlers=[("pre", "out += 7 * w"), ("post", "theta_post = 2 * theta_post + 1*mV")],
    )
    result = ns.simulate(network(rule), "8 ms", backend=backend)["target"]
    # Two edges onto each neuron, one change per spike.
    assert result.spikes.step.tolist() == [3, 3]
    assert result.trace("theta").values[[2, 3, 7], 1].tolist() == [0, 1, 1]


def test_states_of_the_source_are_changed_by_its_edges(backend):
    net = ns.Network("net", dt="1 ms", seed=2)
    cell = ns.Cell("x : 1; n : 1", step="x = x + 1", spike="x % 3 == 0", after_spike="x = 0")
    a = net.population("a", 3, cell, x=[0, 1, 2])
    b = net.population("b", 2, cell, x=[0, 2])
    rule = ns.Rule(
        edge="w : 1", handlers=[("pre", "n_pre += w * (1 + x_post)"), ("step", "n_pre += 0.5")]
    )
    net.project(a, b, ns.from_arrays([0, 0, 2], [0, 1, 1]), rule=rule, weight=2, name="e")
    net.record(a, "n")
    n = ns.simulate(net, "3 ms", backend=backend)["a"].trace("n").values
    # Of neuron 2 with one edge: it spikes in step 0, where x of b is 1 and 3; of 0 in step 2.
    assert n[:, 2].tolist() == [2 * (1 + 3) + 0.5, 9, 9.5]
    assert n[:, 0].tolist() == [1, 2, 3 + 2 * (1 + 3) + 2 * (1 + 2)]
    assert n[:, 1].tolist() == [0, 0, 0]


def test_a_signal_changes_the_neurons_that_have_edges(backend):
    rule = ns.Rule(edge="w : mV", handlers=[("calm", "theta_post = 3*mV; v_post += w")])
    net = ns.Network("net", dt="1 ms")
    source = net.spike_source("source", 2)
    target = net.population("target", 3, LEAKY)
    net.project(source, target[1:], ns.one_to_one(), rule=rule, weight="1 mV", name="e")
    net.record(target, "theta", "v")
    run = ns.prepare(net, backend=backend)
    run.run("2 ms")
    run.emit("calm")
    assert run.get("target", "theta").tolist() == [0, 3, 3]
    run.emit("calm")
    run.run("1 ms")
    np.testing.assert_allclose(run.get("target", "v"), [0, 2 * np.exp(-0.1), 2 * np.exp(-0.1)])


def random_network() -> ns.Network:
    net = ns.Network("net", dt="0.5 ms", seed=4)
    source = net.poisson("source", 40, rate="60 Hz")
    target = net.population("target", 300, LEAKY, theta=ns.uniform("0 mV", "1 mV"))
    rule = ns.Rule(
        edge="w : mV",
        post="dy/dt = -y / (20*ms) : 1",
        handlers=[
            (
                "pre",
                "v_post += w * (1 + uniform()); out += w / 10; last_post = t * (1 + uniform())",
            ),
            ("post", "y += 1; theta_post += 0.01*mV * y; v_post = v_post / 2 + 0.1*mV * normal()"),
            ("step", "theta_post += -0.001 * w"),
        ],
    )
    net.project(
        source,
        target,
        ns.fixed_probability(0.3),
        rule=rule,
        weight=ns.uniform("0.5 mV", "2 mV"),
        delay=ns.uniform("0 ms", "3 ms"),
        dendritic_fraction=0,
        back=ns.uniform("0 ms", "2 ms"),
        round_delays=True,
        port="push",
        name="e",
    )
    net.project(
        target,
        target,
        ns.fixed_probability(0.02),
        rule=ns.Rule(edge="w : mV", handlers=[("pre", "v_post += w; v_pre -= w / 8")]),
        weight="0.5 mV",
        delay="1 ms",
        name="loop",
    )
    net.record(target, "spikes")
    net.record(target, "v", "theta", "last")
    return net


def test_engines_agree_to_the_last_bit(backend):
    reference = ns.simulate(random_network(), "40 ms", backend="reference")
    assert len(reference["target"].spikes) > 300
    result = ns.simulate(random_network(), "40 ms", backend=backend)
    assert [v for v in compare(reference, result) if not v["pass"]] == []


def test_a_value_that_is_not_finite_is_found_in_its_step(backend):
    rule = ns.Rule(edge="w : mV", handlers=[("pre", "theta_post = 1*mV / (t - t) * ms")])
    net = network(rule)
    with pytest.raises(ns.SimulationError, match="theta is inf") as error:
        ns.simulate(net, "5 ms", backend=backend)
    assert len(error.value.recording["target"].trace("v").values) == 2
