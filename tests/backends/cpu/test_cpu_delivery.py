"""Delivery by the CPU engine: spikes on their way, edges by event, deferred post handlers, and
counts of drives, as in the reference.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.cpu_networks import journey, pairs, same_bits, scattered

import neurosim as ns
from neurosim.backends.cpu.kernels.philox import poisson_levels, poisson_table
from neurosim.backends.cpu.kernels.sizes import (
    CELLS,
    CHUNKS,
    EVENTS_PER_CHUNK,
    FRESH,
    MOST_LEVELS,
    QUANTILES,
    TOGETHER,
)
from neurosim.backends.cpu.plan.late_events import LateEvents
from neurosim.draws.streams import poisson
from neurosim.models import cells


@pytest.mark.parametrize("room", [None, 1, 600])
@pytest.mark.compiled
def test_spikes_on_their_way_along_many_delays_land_as_in_the_reference(
    room, tmp_path, monkeypatch
):
    """Also if the lists of events to come have no room, or room for some of them."""
    if room is not None:
        monkeypatch.setattr(
            "neurosim.backends.cpu.plan.delivery.LateEvents",
            lambda tables, most, dtype: LateEvents(tables, most=room, dtype=dtype),
        )
    journeys = []
    for backend, options in (
        ("reference", {}),
        ("cpu", {"threads": 1}),
        ("cpu", {"threads": 2}),
        ("cpu", {"threads": 3}),
    ):
        run = ns.prepare(scattered(), backend=backend, **options)
        journeys.append(journey(run, tmp_path))
        spikes = run.result()
        assert min(spikes[p].spikes.index.size for p in "ab") > 100
        if backend == "cpu":
            full = [
                pool[FRESH] == pool[CHUNKS]
                for pool, *_ in run.engine.delivery.late_events.pools.values()
            ]
            assert len(full) == options["threads"] and set(full) == {room is not None}
    for other in journeys[1:]:
        assert len(other) == len(journeys[0])
        assert all(same_bits(a, b) for a, b in zip(journeys[0], other, strict=True))


@pytest.mark.parametrize(
    "last",
    [range(60, 70), [60, 61, 62, 62, 65, 65, 66, 67, 68, 69]],
    ids=["neighbours", "as many, but not neighbours"],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_edges_onto_neighbours_are_counted_not_looked_up_and_give_the_bits_of_the_reference(
    last, threads
):
    """Sources without edges stand first, between and last; partitions share the targets."""
    rule = ns.Rule(
        edge="w : mV",
        post="s : mV",
        handlers=[
            ("pre", "s += w; out += w"),
            ("step", "out += where(i_post == 60 + floor(10 * uniform()), w, 0 * mV); w = 0.99 * w"),
        ],
    )
    sources = np.repeat([1, 3, 6], 10)
    targets = np.concatenate([np.arange(60, 70), np.arange(120, 130), last])
    runs = []
    for backend, options in (("reference", {}), ("cpu", {"threads": threads})):
        net = ns.Network("near", dt="1 ms", seed=2)
        a = net.population("a", 8, cells.lif_delta(rest="-40 mV"))
        b = net.population("b", 130, cells.lif_delta())
        net.project(
            a,
            b,
            ns.from_arrays(sources, targets),
            weight=ns.uniform("0 mV", "1 mV"),
            rule=rule,
            port="synaptic",
            name="near",
        )
        runs.append(ns.prepare(net, backend=backend, **options))
        runs[-1].run("90 ms")
    assert ("_shift" in runs[1].source) == isinstance(last, range)
    values = [[run.get("b", "v"), run.get("near", "w"), run.get("near", "s")] for run in runs]
    assert all(
        same_bits(one, other) and np.ptp(one) > 0 for one, other in zip(*values, strict=True)
    )


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_delay_groups_are_listed_among_more_delays_than_a_word_has_bits(fraction):
    """Most neurons lack most of the 300 delays, or of the 150 at either end."""
    runs = [
        ns.prepare(
            pairs(("post", "pre"), fraction, "7 ms", delay=ns.uniform("0 ms", "30 ms")),
            backend=backend,
            **options,
        )
        for backend, options in (
            ("reference", {}),
            ("cpu", {"threads": 1}),
            ("cpu", {"threads": 2}),
        )
    ]
    for run in runs:
        run.run("60 ms")
    p = runs[0].program.projections["learned"]
    split = [groups for groups in (p.pre_groups, p.post_groups) if not groups.uniform]
    assert split
    assert all(
        g.delays.size > 64 and g.neuron.size < 0.5 * g.delays.size * g.first.size for g in split
    )
    assert runs[0].result()["b"].spikes.index.size > 500
    for run in runs[1:]:
        assert all(
            same_bits(run.get("learned", name), runs[0].get("learned", name))
            for name in ("w", "c", "n", "x", "y")
        )
        assert run.result()["b"].spikes == runs[0].result()["b"].spikes


@pytest.mark.parametrize(
    ("order", "fraction", "every"),
    [(("post", "pre"), 0.0, "7 ms"), (("pre", "post"), 1.0, "90 ms")],
)
@pytest.mark.compiled
def test_deferred_post_handlers_leave_the_bits_of_the_reference(order, fraction, every):
    """Records, signals, changes and ends of runs find every edge as if nothing were deferred."""
    outcomes = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2})):
        run = ns.prepare(pairs(order, fraction, every), backend=backend, **options)
        if backend == "cpu":
            assert list(run.engine.delivery.deferral.sweeps) == ["learned"]
        seen = []
        for _ in range(3):
            run.run("40 ms", progress=False)
            run.run("0.1 ms", progress=False)
            seen += [run.get("learned", name) for name in ("w", "c", "n")]
            run.emit("rest")
        run.set("learned", tau="12 ms")
        run.run("10 ms", progress=False)
        result = run.result()
        outcomes.append(
            [
                *seen,
                run.get("learned", "w"),
                result["b"].spikes.index,
                result["learned"].trace("w").values,
            ]
        )
    assert outcomes[0][-2].size > 40 * 150 * 3  # more spikes in a piece than notes have room for
    for other in outcomes[1:]:
        assert all(same_bits(a, b) for a, b in zip(outcomes[0], other, strict=True))


def test_post_handlers_that_cannot_be_deferred_are_not():
    """Values that a post handler reads must not change until its edge catches up: no trace of the
    target, no state, no variable of a "step" handler.
    """

    def is_deferred(post: str, *more: tuple[str, str]) -> bool:
        rule = ns.Rule(
            edge="w : mV",
            pre="dx/dt = -x / tau : 1",
            post="dy/dt = -y / tau : 1",
            parameters={"tau": "10 ms"},
            handlers=[("post", post), ("pre", "out += w; w -= 0.1 * mV * y; x += 1"), *more],
        )
        net = ns.Network("deferred", dt="0.1 ms")
        p = net.population("p", 60, cells.lif_delta())
        net.project(
            p,
            p,
            ns.all_to_all(),
            weight=0.1,
            rule=rule,
            port="synaptic",
            delay="1 ms",
            name="learned",
        )
        return bool(ns.prepare(net, backend="cpu").engine.delivery.deferral.sweeps)

    assert is_deferred("w += 0.1 * mV * x; y += 1")
    for post in (
        "w += 0.1 * mV * x * y; y += 1",
        "w += 0.1 * v_post; y += 1",
        "out += w; y += 1",
        "y += 1",
    ):
        assert not is_deferred(post)
    assert not is_deferred("w += 0.1 * mV * x; y += 1", ("step", "w = 0.99 * w"))
    assert not is_deferred("w += 0.1 * mV * x; y += 1", ("step", "x = 0.5 * x"))


def test_post_handlers_are_deferred_only_if_notes_take_little_room_beside_the_edges(monkeypatch):
    """Notes take 128 bytes per delay group of the targets, of which there are nearly as many as
    edges; results are the same.
    """
    variables = []
    for fraction, least, deferred in ((0.0, 16, True), (1.0, 16, False), (1.0, 0, True)):
        monkeypatch.setattr("neurosim.backends.cpu.plan.deferral.LEAST", least)
        delay = ns.uniform("0 ms", "30 ms") if fraction else "0.5 ms"
        run = ns.prepare(pairs(("post", "pre"), fraction, "7 ms", delay=delay), backend="cpu")
        assert bool(run.engine.delivery.deferral.sweeps) == deferred
        run.run("60 ms", progress=False)
        variables.append([run.get("learned", name) for name in ("w", "c", "n", "x", "y")])
    assert all(same_bits(a, b) for a, b in zip(variables[1], variables[2], strict=True))
    assert np.ptp(variables[1][0]) > 0.1


def bursting() -> ns.Network:
    """Return neurons with edges of 2 to 40 steps, of which those of one projection are many enough
    for a burst, also in each of two partitions.
    """
    net = ns.Network("bursting", dt="0.1 ms", seed=3)
    cell = cells.lif(rest="-60 mV", tau_syn="2 ms", refractory="1 ms")
    p = net.population("p", 530, cell)
    for name, number in (("many", 283), ("some", 90)):
        net.project(
            p,
            p,
            ns.fixed_outdegree(number, multapses=True),
            weight=ns.uniform("0 nA", "0.004 nA"),
            delay=ns.uniform("0.2 ms", "4 ms"),
            round_delays=True,
            port="synaptic",
            name=name,
        )
    net.poisson_drive(p, n=10, rate=500, weight="0.1 nA", port="synaptic")
    net.record(p, "spikes")
    return net


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_spikes_of_all_neurons_in_one_step_land_as_in_the_reference_and_are_not_listed(share):
    """Searched for, also from a snapshot within, and beside spikes of later steps."""
    felt = []
    for backend, options in (
        ("reference", {}),
        ("cpu", {"threads": 1}),
        ("cpu", {"threads": 2}),
    ):
        run = ns.prepare(bursting(), backend=backend, **options)
        run.run("1 ms", progress=False)
        values = run.get("p", "v")
        values[: round(share * values.size)] = 0.0
        run.set("p", v=values)
        run.run("0.1 ms", progress=False)
        if options == {"threads": 1}:
            pool = run.engine.delivery.late_events.pools[0].state
            assert pool[FRESH] * EVENTS_PER_CHUNK < 100 * 530  # of "some" alone
        run.run("1 ms", progress=False)
        before = run.snapshot()
        run.run("1 ms", progress=False)
        run.restore(before, clock=True)
        run.run("5 ms", progress=False)
        felt.append([run.get("p", "v"), run.get("p", "synaptic"), run.result()["p"].spikes.index])
    assert felt[0][2].size > 530
    for others in felt[1:]:
        assert all(same_bits(a, b) for a, b in zip(felt[0], others, strict=True))


@pytest.mark.parametrize("mean", [1e-9, 3e-4, 1.5, 4.0, 9.0, 14.0])
def test_a_level_is_the_last_word_below_its_count(mean):
    quantiles = np.zeros(QUANTILES)
    begins = np.zeros(CELLS, np.int32)
    levels = np.zeros(1 + MOST_LEVELS, np.uint32)
    poisson_table(mean, quantiles.ctypes.data, begins.ctypes.data)
    poisson_levels(quantiles.ctypes.data, levels.ctypes.data)
    near = int(levels[0])
    assert 0 < near <= MOST_LEVELS and near % TOGETHER == 0
    # Of words above the last level the counts are searched: they must be few.
    assert levels[near] > 2**32 * (1 - 2.0**-12)
    reached = levels[1 : 1 + near][levels[1 : 1 + near] < 2**32 - 1].astype(np.float64)
    below, above = (poisson(mean, (reached + k + 0.5) * 2.0**-32) for k in (0, 1))
    assert (below <= np.arange(reached.size)).all()
    assert (above > np.arange(reached.size)).all()


def test_counts_of_a_large_mean_are_searched():
    quantiles = np.zeros(QUANTILES)
    begins = np.zeros(CELLS, np.int32)
    levels = np.ones(1 + MOST_LEVELS, np.uint32)
    poisson_table(40.0, quantiles.ctypes.data, begins.ctypes.data)
    poisson_levels(quantiles.ctypes.data, levels.ctypes.data)
    assert levels[0] == 0


@pytest.mark.parametrize("mean", [0.0, 3e-4, 1.5, 4.0, 9.0, 30.0, 700.0, 1200.0])
@pytest.mark.compiled
def test_counts_of_a_drive_are_those_of_the_reference_also_from_tables(mean):
    """Counts of one rate for neighbours come from a table; others are computed one by one."""
    net = ns.Network("drive", dt="0.1 ms", seed=5)
    p = net.population("p", 700, ns.Cell("v : mV", receives={"x": ns.Port("mV", into="v")}))
    net.poisson_drive(p[7:650], n=10, rate=mean * 1000, weight="0.1 mV", port="x", name="table")
    net.poisson_drive(p[::3], n=10, rate=mean * 500, weight="0.3 mV", port="x", name="single")
    voltages = []
    for options in (
        {"backend": "reference"},
        {"backend": "cpu", "threads": 1},
        {"backend": "cpu", "threads": 2},
    ):
        run = ns.prepare(net, **options)
        run.run("2 ms", progress=False)
        run.set("table", rate=mean * 700)
        run.run("1 ms", progress=False)
        voltages.append(run.get("p", "v"))
    assert all(same_bits(voltages[0], other) for other in voltages[1:])
    assert voltages[0].any() == (mean > 0.0)
