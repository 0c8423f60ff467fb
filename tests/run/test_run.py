"""The run held open: get, set and check, and that bad input changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts
from support.open_runs import CELL, STEPPED, network, prepared, same, states

import neurosim as ns
from neurosim import Network, NetworkError
from neurosim.backend.discovery import find
from neurosim.backend.lowering import Configured


def test_what_is_set_is_read_back_with_units(backend):
    run = prepared(backend, 3)
    for owner, name, value, back in [
        ("cells", "tau", "0.02 s", 20.0),
        ("cells", "v", [0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("cells", "g", "2 uV", [0.002] * 5),
        ("cells", "theta", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("plastic", "w", 0.5, [0.5] * 15),
        ("plastic", "weight", np.arange(15.0) / 10, np.arange(15.0) / 10),
        ("plastic", "x", [1, 2, 3], [1, 2, 3]),
        ("plastic", "y", 4.0, [4.0] * 5),
        ("plastic", "tau", "0.007 s", 7.0),
        ("plastic", "each", 0.25, [0.25] * 15),
        ("static", "weight", "300 uV", 0.3),
        ("static", "w", np.arange(20.0), np.arange(20.0)),
        ("rates", "rate", "0.05 kHz", 50.0),
        ("chances", "p", [0.0, 1.0], [0.0, 1.0]),
        ("drive", "rate", [10.0, 20.0], [10.0, 20.0]),
        ("drive", "weight", "0.1 mV", 0.1),
    ]:
        run.set(owner, **{name: value})
        assert run.get(owner, name) == pytest.approx(back, rel=1e-12), name
    run.run(5, progress=False)


def test_the_rate_of_a_drive_is_that_of_one_of_its_trains(backend):
    net = Network("net", dt="1 ms", seed=3)
    cells = net.population("cells", 101, ns.Cell("v : 1", receives={"x": ns.Port("1", into="v")}))
    net.poisson_drive(cells, n=50, rate="4 Hz", weight=1.0, name="drive")
    run = prepared(backend, 0, net)
    assert run.get("drive", "rate") == pytest.approx(4.0, rel=1e-12)
    run.set("drive", rate=[8.0] * 100 + [0.0])
    assert run.get("drive", "rate") == pytest.approx([8.0] * 100 + [0.0], rel=1e-12)
    run.run("100 ms", progress=False)
    counts = run.get("cells", "v")
    assert counts[-1] == 0.0 and abs(counts.sum() - 4000) < 4 * 4000**0.5


def test_a_view_reads_and_changes_its_neurons_in_its_order(backend):
    run = prepared(backend, 3)
    view = run.owners["cells"][[3, 1]]
    run.set(run.owners["cells"], v=0.0, tau=10.0)
    run.set(view, v=[0.3, 0.1], tau="5 ms")
    assert run.get("cells", "v").tolist() == [0, 0.1, 0, 0.3, 0]
    assert run.get(view, "v").tolist() == [0.3, 0.1]
    assert run.get("cells", "tau").tolist() == [10, 5, 10, 5, 10]
    run.set(run.owners["rates"][1:], rate=70.0)
    # the table was at its second row
    assert run.get("rates", "rate").tolist() == pytest.approx([6.0, 70.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tau", 4.0),
        ("tau_g", 1.5),
        ("drive", [0.5, 1.5, 1.0, 2.0, 1.2]),
        ("theta", 0.7),
        ("pause", 3.0),
        ("pause", [0.0, 1.0, 2.0, 0.5, 0.0]),
        ("v", 0.3),
    ],
)
def test_a_value_set_at_the_start_acts_as_if_the_network_had_been_written_with_it(
    backend, name, value
):
    """Propagators and other constants are computed again, refractory times counted again."""
    late, early = prepared(backend), prepared(backend, 60, network(**{name: value}))
    late.set("cells", **{name: value})
    late.run(30, progress=False)
    one, other = late.result()["cells"], early.result()["cells"]
    assert one.spikes == other.spikes
    assert (one.trace("v").values == other.trace("v").values).all()
    assert len(other.spikes) > 5


def test_changing_what_was_read_or_given_changes_no_run(backend):
    net = Network("net", dt=1)
    weights, start = np.ones(6), np.zeros(3)
    cells = net.population("cells", 3, CELL, v=start)
    static = net.project(cells, cells, ns.all_to_all(autapses=False), weight=weights, name="static")
    weights[:], start[:] = 7.0, 8.0
    run = prepared(backend, 0, net)
    run.get(cells, "v")[:] = 5.0
    run.get(static, "w")[:] = 5.0
    assert run.get(cells, "v").tolist() == [0.0] * 3 and run.get(static, "w").tolist() == [1.0] * 6
    new = np.full(3, 0.5)
    run.set(cells, v=new)
    new[:] = 9.0
    assert run.get(cells, "v").tolist() == [0.5] * 3


def test_an_open_run_does_not_notice_what_happens_to_its_network(backend):
    net = network()
    run = prepared(backend, 0, net)
    net.project(net["cells"], net["cells"], ns.all_to_all(), weight=1.0, name="more")
    net.record(net["chances"], "spikes")
    net.populations["cells"].values["drive"] = 5.0
    run.run(20, progress=False)
    assert run.result() == prepared(backend, 40).result() and "chances" not in run.result()
    assert "more" in [p.name for p in ns.prepare(net, backend=backend).network.projections.values()]


def test_a_table_set_in_a_run_begins_with_its_first_row(backend):
    net = Network("net", dt=1)
    cells = net.population("cells", 2, STEPPED, current=ns.table([1.0, 2.0], every="2 ms"))
    net.record(cells, "v")
    run = prepared(backend, 5, net)
    run.set(cells, current=ns.table([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], every="1 ms"))
    run.run(2, progress=False)
    assert run.get(cells, "current").tolist() == [30.0, 40.0]
    run.run(2, progress=False)
    run.set(cells, current=100.0)
    run.run(1, progress=False)
    assert run.result()["cells"].trace("v").values.tolist() == [
        [1, 1],
        [2, 2],
        [4, 4],
        [6, 6],
        [8, 8],
        [18, 28],
        [48, 68],
        [98, 128],
        [148, 188],
        [248, 288],
    ]


BAD = {
    "an unknown owner": (
        "cels",
        {"v": 1},
        "run of 'net' has no population, projection or drive 'cels'.",
        "Did you mean 'cells'?",
    ),
    "an owner that is none": (
        5,
        {"v": 1},
        "run of 'net' has no population, projection or drive 5.",
        "are: cells, chances, drive, plastic, rates, source, static.",
    ),
    "an owner of another network": (
        lambda run: network()["cells"],
        {"v": 1},
        "run of 'net': found 'cells' of another network, expected that of the one which was "
        "prepared.",
        "Give it or its name.",
    ),
    "an unknown name": (
        "cells",
        {"v": 1, "vv": 1},
        "population 'cells' has no state, parameter or variable 'vv'.",
        "Did you mean 'v'?",
    ),
    "another unit": (
        "cells",
        {"v": 1, "tau": "1 mV"},
        "set 'cells', tau: '1 mV' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "another shape": (
        "cells",
        {"v": 1, "tau": [1, 2]},
        "set 'cells', tau: found an array of shape (2,)",
        "of length 5 (one per neuron).",
        "Reshape it.",
    ),
    "NaN": (
        "cells",
        {"tau": 3, "v": float("nan")},
        "set 'cells', v: found a value that is not finite",
        "expected finite numbers.",
        "Replace it.",
    ),
    "nothing": ("cells", {"v": None}, "set 'cells', v: None is not a quantity.", "Give a number"),
    "text over an unknown name": (
        "cells",
        {"tau": 3, "v": "2*drive + drve"},
        "set 'cells', v: there is no name 'drve'.",
        "Did you mean 'drive'?",
    ),
    "text of an unknown unit": (
        "cells",
        {"tau": 3, "v": "2*drve"},
        "set 'cells', v: unit 'drve': there is no unit 'drve'.",
    ),
    "a draw of another unit": (
        "cells",
        {"tau": 3, "v": ns.uniform("0 ms", "1 ms")},
        "set 'cells', v, uniform(low=0 ms, high=1 ms): low",
        "a voltage (mV) is expected.",
    ),
    "a refractory time between the steps": (
        "cells",
        {"v": 1, "pause": 0.25},
        "set 'cells', pause: refractory time 0.25 ms is not a multiple of dt (0.5 ms).",
        "Use 0 ms or 0.5 ms or a smaller dt.",
    ),
    "a negative refractory time": (
        "cells",
        {"v": 1, "pause": -1},
        "refractory time: found -1 ms",
        "expected 0 ms or more.",
    ),
    "a table where there was none": (
        "cells",
        {"v": 1, "tau": ns.table([1], every=1)},
        "set 'cells', tau: found a table",
        "'tau' had no table when the run was prepared.",
        "Give it a table in the network; then tables of any length can be set.",
    ),
    "a table of another width": (
        "rates",
        {"rate": ns.table([[1, 2, 3]], every=1)},
        "set 'rates', rate: found a table of shape (1, 3)",
        "expected (T,) or (T, 2).",
    ),
    "a table between the steps": (
        "rates",
        {"rate": ns.table([1], every=0.75)},
        "set 'rates', rate: every 0.75 ms is not a multiple of dt",
        "Use 0.5 ms or 1 ms",
    ),
    "a table for some": (
        lambda run: run.owners["rates"][:1],
        {"rate": ns.table([1], every=1)},
        "set 'rates', rate: found a view",
        "expected the whole population for a table.",
    ),
    "a negative rate": (
        "rates",
        {"rate": -5},
        "set 'rates', rate: found -5",
        "expected 0 Hz or more.",
        "Correct it.",
    ),
    "a rate above one spike per step": (
        "rates",
        {"rate": [5, 5e4]},
        "set 'rates', rate: found 50000 Hz, expected",
        "Use a smaller dt, or net.poisson_drive",
    ),
    "such a rate in a table": (
        "rates",
        {"rate": ns.table([5, 5e4], every=1)},
        "set 'rates', rate: found 50000 Hz, expected",
    ),
    "a rate of a drive with too many counts": (
        "drive",
        {"weight": 1, "rate": 1e12},
        "set 'drive', rate: found 1e+12 Hz, expected",
        "Above 1e+06 counts per step",
    ),
    "a negative rate in a table": (
        "rates",
        {"rate": ns.table([5, -5], every=1)},
        "set 'rates', rate: found -5",
        "expected 0 Hz or more.",
    ),
    "a probability above 1": (
        "chances",
        {"p": [0.5, 2]},
        "set 'chances', p: found 2",
        "expected 0 to 1.",
    ),
    "too many for a view": (
        lambda run: run.owners["cells"][1:3],
        {"tau": 3, "v": [1, 2, 3]},
        "set 'cells', v: found an array of shape (3,)",
        "of length 2 (one per neuron).",
    ),
    "too few edges": (
        "plastic",
        {"w": np.ones(14)},
        "set 'plastic', w: found an array of shape (14,)",
        "of length 15 (one per edge or neuron).",
    ),
    "a matrix": (
        "plastic",
        {"w": np.ones((3, 5))},
        "set 'plastic', w: found an array of shape (3, 5)",
        "of length 15",
    ),
    "too few sources": (
        "plastic",
        {"w": 2, "x": [1, 2]},
        "set 'plastic', x: found an array of shape (2,)",
        "of length 3",
    ),
    "a time constant of zero": (
        "plastic",
        {"w": 2, "tau": 0},
        "set 'plastic', tau: found 0 ms",
        "expected more than 0 ms.",
        "Give a positive time.",
    ),
    "a weight twice": (
        "plastic",
        {"w": 1, "weight": 2},
        "set 'plastic': found both w= and weight=, which are the same",
        "expected one.",
        "Leave one out.",
    ),
    "a delay": (
        "plastic",
        {"delay": 1},
        "has no state, parameter or variable 'delay'.",
        "are: each, step, tau, w, x, y, z.",
    ),
    "a static weight in nA": (
        "static",
        {"weight": "1 nA"},
        "set 'static', w: '1 nA' is a current (nA)",
        "but a voltage (mV) is expected.",
    ),
    "a negative rate of a drive": (
        "drive",
        {"weight": 1, "rate": -1},
        "set 'drive', rate: found -1 Hz",
        "expected 0 Hz or more.",
    ),
    "an unknown value of a drive": (
        "drive",
        {"n": 5},
        "drive 'drive' has no state, parameter or variable 'n'.",
        "are: rate, weight.",
    ),
    "spikes of some": (
        lambda run: run.owners["source"][:1],
        {"steps": [[5]]},
        "set 'source': found a view",
        "expected the whole source of given spikes.",
    ),
    "spikes twice": (
        "source",
        {"steps": [[1], [], []], "times": [[1], [], []]},
        "set 'source': expected either times= or steps=, found both.",
        "Give one.",
    ),
    "no spikes": (
        "source",
        {},
        "set 'source': expected either times= or steps=, found neither.",
        "Give one.",
    ),
    "a state of given spikes": (
        "source",
        {"v": 1},
        "set 'source' has no value 'v'.",
        "The values are: steps, times.",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_set_with_one_bad_value_among_several_changes_nothing(backend, case):
    owner, values, *message = case
    run = prepared(backend, 3)
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        run.set(owner(run) if callable(owner) else owner, **values)
    assert same(states(run), before)


def test_the_check_that_nothing_changed_sees_a_change():
    run = prepared("reference", 3)
    before = states(run)
    run.set("cells", v=run.get("cells", "v") + 1e-15)
    assert not same(states(run), before)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda run: run.get("cells", "vv"),
            ("has no state, parameter or variable 'vv'.", "Did you mean 'v'?"),
        ),
        (lambda run: run.get("cells", 5), ("has no state, parameter or variable 5.",)),
        (
            lambda run: run.get("source", "steps"),
            ("population 'source' has no state, parameter or variable 'steps'.",),
        ),
        (
            lambda run: run.get([1], "v"),
            ("run of 'net' has no population, projection or drive [1].",),
        ),
        (
            lambda run: run.emit("nigth"),
            (
                "emit: there is no signal 'nigth'.",
                "Did you mean 'night'?",
                "A rule listens to a signal with a handler of its name.",
            ),
        ),
        (
            lambda run: run.reset("cells", "v", "tau"),
            ("reset: 'cells' has no state or variable 'tau'.", "are: g, v."),
        ),
        (
            lambda run: run.reset("cels"),
            ("has no population, projection or drive 'cels'.", "Did you mean 'cells'?"),
        ),
        (
            lambda run: run.reset(run.owners["cells"][:2], "v"),
            (
                "reset: found <view of 'cells': 2 of 5 neurons>, expected a whole population.",
                "Use run.set",
            ),
        ),
        (
            lambda run: run.restore(5),
            ("restore: found 5, expected a snapshot.", "Take it with run.snapshot()."),
        ),
        (
            lambda run: run.restore(prepared("reference", 0, network(tau=3.0)).snapshot()),
            ("restore: the snapshot is of another network (or seed)", "run.snapshot()."),
        ),
        (lambda run: run.run(-1), ("run: duration: found -1, expected one time of 0 ms or more.",)),
        (
            lambda run: run.run(0.75),
            (
                "run: duration 0.75 ms is not a multiple of dt (0.5 ms).",
                "Use 0.5 ms or 1 ms or a smaller dt.",
            ),
        ),
        (lambda run: run.run(float("nan")), ("run: duration: found nan",)),
        (lambda run: run.run(1e300), ("run: duration: found 1e+300 ms, expected less than",)),
        (
            lambda run: run.run("1 mV"),
            ("run: duration: '1 mV' is a voltage (mV), but a time (ms) is expected.",),
        ),
        (lambda run: run.run(None), ("run: duration: None is not a quantity.",)),
        (
            lambda run: run.result()["chances"],
            ("the recording has no name 'chances'.", "must be recorded with net.record."),
        ),
    ],
)
def test_other_verbs_refuse_what_is_not_there_and_change_nothing(act, message):
    run = prepared("reference", 3)
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        act(run)
    assert same(states(run), before)


# ---- check


class Undrawn:
    """A connector that must not be asked to draw."""

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> ns.EdgeCount:
        return ns.EdgeCount(10.0, exact=False)

    def show(self) -> str:
        return "undrawn"

    def connect(self, *arguments, **options):
        raise AssertionError("edges were drawn")


def test_check_draws_nothing_and_says_row_by_row_what_will_run(backend):
    net = network()
    net.project(net["cells"], net["cells"], Undrawn(), weight=1.0, name="undrawn")
    report = ns.check(net, backend=backend)
    assert report.possible and {row.status for row in report.rows} == {"exact"}
    assert [str(row.place) for row in report.rows] == [
        "population 'source'",
        "population 'cells'",
        "population 'rates'",
        "population 'chances'",
        "projection 'plastic'",
        "projection 'static'",
        "drive 'drive'",
        "projection 'undrawn'",
    ]
    assert "v: exact; g: exact." in str(report) and "rule 'learning'." in str(report)


def test_spikes_recorded_from_a_view_know_its_neurons(backend):
    net = network()
    view = net["chances"][[1]]
    net.record(view, "spikes")
    spikes = prepared(backend, 100, net).result()["chances"].spikes
    assert (spikes.size, spikes.members.tolist()) == (2, [1]) and set(spikes.index.tolist()) == {1}
    assert ns.measure.rate(spikes) == len(spikes) / 0.05 > 0
    with pytest.raises(
        NetworkError,
        match=parts(
            "record: 'spikes' of 'chances' is recorded already.",
            "Record all its members in one call.",
        ),
    ):
        net.record(net["chances"][:1], "spikes")


def test_the_recording_says_where_it_comes_from(backend):
    header = prepared(backend, 5).result().header
    assert {
        k: header[k]
        for k in ("network", "dt", "seed", "first", "steps", "backend", "finished", "report")
    } == {
        "network": "net",
        "dt": 0.5,
        "seed": 2,
        "first": 0,
        "steps": 5,
        "backend": backend,
        "finished": True,
        "report": [],
    }
    assert header["versions"].keys() >= {"neurosim-snn", "numpy", "python"}
    assert len(header["hash"]) == 32


def test_the_header_tells_the_replica_and_the_options_as_they_were_given(fast_backend):
    engine = find(fast_backend)
    runs = {
        "given": ns.prepare(
            network(),
            backend=fast_backend,
            precision="float32",
            threads=np.int64(1),
            replica=np.int64(7),
        ),
        "configured": ns.prepare(
            network(),
            backend=Configured(engine, {"precision": "float32", "threads": 1, "replica": 7}),
        ),
        "not given": ns.prepare(network(), backend=fast_backend),
    }
    headers = {name: run.result().header for name, run in runs.items()}
    assert headers["given"] == headers["configured"]
    assert (headers["given"]["replica"], headers["given"]["options"]) == (
        7,
        {"precision": "float32", "threads": 1},
    )
    assert (headers["not given"]["replica"], headers["not given"]["options"]) == (0, {})


@pytest.mark.parametrize("replica", [-1, 0.5, "a", 1 << 32])
def test_a_replica_that_is_no_word_of_32_bits_is_refused(backend, replica):
    net = ns.Network("replica", dt="1 ms")
    net.poisson("p", 1, rate=10)
    with pytest.raises(ns.NetworkError, match=f"backend '{backend}', replica: .*whole number"):
        ns.prepare(net, backend=backend, replica=replica)
