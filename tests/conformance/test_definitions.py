"""Definitions are read everywhere: records, initial values, rules, links, and text of `set`."""

import numpy as np
import pytest

import neurosim as ns


def cell() -> ns.Cell:
    return ns.Cell(
        """dv/dt = (rest - v + drive) / tau : mV
           drive = gain * square + 3 * mV : mV
           square = (v - rest)**2 / (100 * mV) + bias : mV
           level = v + 2 * push : mV
           place = 2 * rest + i * mV : mV""",
        parameters={
            "rest": "-60 mV",
            "gain": 0.1,
            "bias": "1 mV",
            "tau": "10 ms",
        },
        receives={"push": ns.Port("mV")},
        spike="v > -57.5 * mV",
        after_spike="v = rest - 2 * mV",
        method="euler",
        name="observed",
    )


def network(*, every: str = "1 ms") -> ns.Network:
    net = ns.Network("net", dt="1 ms", seed=1)
    p = net.population("p", 3, cell(), v="place + 60.5 * mV - i * 0.5 * mV", gain=[0.1, 0.2, 0.3])
    rule = ns.Rule(
        edge="w : mV; seen : mV; linked : mV",
        definitions="twice = 2 * drive_pre : mV",
        handlers=[
            ("step", "w = twice + square_post; seen = drive_pre; linked = up; out += w / 50")
        ],
        reads={"up": p["square"].by("source")},
    )
    net.project(p, p, ns.one_to_one(), rule=rule, port="push", name="e")
    net.record(p, "v", "drive", "level", "spikes", every=every)
    net.record(net["e"], "w", "seen", "linked", every=every)
    return net


def drive(v: np.ndarray) -> np.ndarray:
    return np.array([0.1, 0.2, 0.3]) * ((v + 60) ** 2 / 100 + 1) + 3


def test_an_initial_value_reads_a_definition(backend):
    run = ns.prepare(network(), backend=backend)
    assert run.get("p", "v").tolist() == [-59.5, -59.0, -58.5]


def test_a_recorded_definition_has_the_value_of_the_recorded_states(backend):
    result = ns.simulate(network(), "20 ms", backend=backend)["p"]
    trace, v = result.trace("drive"), result.trace("v")
    np.testing.assert_allclose(trace.values, drive(v.values), rtol=1e-14)
    np.testing.assert_allclose(trace.initial, drive(v.initial), rtol=1e-14)
    assert trace.unit == "mV"
    # After a spike, too: both are those after the reset.
    assert len(result.spikes.step) >= 2 and (v.values == -62.0).any()
    sparse = ns.simulate(network(every="5 ms"), "20 ms", backend=backend)["p"]
    assert (sparse.trace("drive").values == trace.values[4::5]).all()


def test_all_engines_record_the_same_bits_of_definitions(backend):
    a, b = (ns.simulate(network(), "20 ms", backend=name) for name in (backend, "reference"))
    for owner, names in {"p": ("drive", "level", "v"), "e": ("w", "seen", "linked")}.items():
        for name in names:
            assert (a[owner].trace(name).values == b[owner].trace(name).values).all(), name


def test_rules_and_links_read_definitions_of_both_ends(backend):
    result = ns.simulate(network(), "1 ms", backend=backend)
    v = result["p"].trace("v").values  # no spike in this step: the values before the reset
    edges = result["e"]
    square = (v + 60) ** 2 / 100 + 1
    np.testing.assert_allclose(edges.trace("seen").values, drive(v), rtol=1e-14)
    np.testing.assert_allclose(edges.trace("linked").values, square, rtol=1e-14)
    np.testing.assert_allclose(edges.trace("w").values, 2 * drive(v) + square, rtol=1e-14)


def test_recording_a_definition_changes_no_number(backend):
    plain = ns.Network("net", dt="1 ms", seed=1)
    p = plain.population("p", 3, cell(), v="place + 61 * mV", gain=0.3)
    plain.record(p, "v")
    other = ns.Network("net", dt="1 ms", seed=1)
    q = other.population("p", 3, cell(), v="place + 61 * mV", gain=0.3)
    other.record(q, "v", "square")
    a, b = (ns.simulate(net, "20 ms", backend=backend)["p"].trace("v") for net in (plain, other))
    assert (a.values == b.values).all()


def test_set_takes_text_over_what_neurons_have_now(backend):
    net = network()
    run = ns.prepare(net, backend=backend)
    run.run("2 ms")
    v = run.get("p", "v")
    run.set("p", v="rest")
    assert run.get("p", "v").tolist() == [-60.0] * 3
    run.set(net["p"][1:], v="rest + 5*mV * i")
    assert run.get("p", "v").tolist() == [-60.0, -55.0, -50.0]
    run.set("p", v="rest + i * mV", gain="0.5 + 0.1 * i")
    assert run.get("p", "v").tolist() == [-60.0, -59.0, -58.0]
    assert run.get("p", "gain").tolist() == [0.5, 0.6, 0.7]
    run.set("p", rest="-70 mV", v="place + 0 * mV")
    assert run.get("p", "v").tolist() == [-140.0, -139.0, -138.0]
    run.set("p", v="v + 1*mV")
    assert run.get("p", "v").tolist() == [-139.0, -138.0, -137.0]
    assert np.isfinite(v).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rst", "there is no name 'rst'. Did you mean 'rest'"),
        ("tau", "is a time .*, but a voltage .* is expected"),
        ("rest + t * mV / ms", "depends on time"),
        ("level", "reads 'push', an input that exists within a step only"),
    ],
)
def test_text_without_a_value_is_refused_and_changes_nothing(text, message):
    net = network()
    run = ns.prepare(net, backend="reference")
    before = run.get("p", "v")
    with pytest.raises(ns.NeurosimError, match=f"set 'p', v.*{message}"):
        run.set("p", gain=5, v=text)
    assert (run.get("p", "v") == before).all() and run.get("p", "gain").tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(ns.NeurosimError, match=message):
        net.population("q", 3, cell(), v=text)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_text_of_set_draws_for_each_neuron_and_anew_in_each_call(engine):
    net = network()
    run = ns.prepare(net, backend=engine)
    run.set("p", rest="-60 mV", v="rest + uniform() * mV")
    first = run.get("p", "v")
    assert len(set(first)) == 3 and ((first > -60) & (first < -59)).all()
    run.set("p", v="rest + uniform() * mV")
    assert not set(first) & set(run.get("p", "v"))

    # A neuron's numbers do not depend on the others that are set with it.
    run = ns.prepare(net, backend=engine)
    run.set("p", rest="-60 mV")
    run.set(net["p"][1:], v="rest + uniform() * mV")
    assert (run.get("p", "v")[1:] == first[1:]).all()


def test_noise_in_continuous_time_cannot_be_recorded():
    noisy = ns.Cell("dv/dt = -v / (5 * ms) + push : 1; push = xi / ms**0.5 : 1/ms")
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 1, noisy)
    with pytest.raises(ns.NetworkError, match="has no state 'push'"):
        net.record(p, "push")


def test_a_signal_after_set_reads_definitions_of_the_new_values(backend):
    one = ns.Cell("v : 1; double = 2 * v * gain : 1", parameters={"gain": 1}, step="v = v + 1")
    rule = ns.Rule(edge="w : 1", handlers=[("look", "w = double_pre + double_post")])
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 2, one)
    net.project(p, p, ns.one_to_one(), rule=rule, name="e")
    run = ns.prepare(net, backend=backend)
    run.run("3 ms")
    run.emit("look")
    assert run.get("e", "w").tolist() == [12.0, 12.0]
    run.set(p[1:], v=10)
    run.emit("look")
    assert run.get("e", "w").tolist() == [12.0, 40.0]
    run.set("p", gain=0.5)
    run.emit("look")
    assert run.get("e", "w").tolist() == [6.0, 20.0]
    run.reset("p")
    run.emit("look")
    assert run.get("e", "w").tolist() == [0.0, 0.0]
