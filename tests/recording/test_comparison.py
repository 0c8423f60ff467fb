"""Comparing recordings: equality, likeness within bounds, the command, and the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim.analysis.comparison import Bounds
from neurosim.cli.main import main
from neurosim.models import plasticity
from neurosim.recording.recorded import PopulationRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Trace


def network(seed: int = 1, *, rate: float = 20.0, weight: str = "0.3 nA") -> ns.Network:
    net = ns.Network("compared", dt="1 ms", seed=seed)
    source = net.poisson("source", 200, rate=rate)
    edge = ns.Cell(
        "v : nA",
        receives={"x": ns.Port("nA", into="v")},
        spike="v > 5 * nA",
        after_spike="v = 0 * nA",
        name="counter",
        step="v = v",
    )
    cells = net.population("cells", 50, edge)
    net.project(
        source,
        cells,
        ns.fixed_probability(0.1),
        weight=weight,
        port="x",
        rule=plasticity.stdp(),
        name="learning",
    )
    net.record(source, "spikes")
    net.record(cells, "spikes", "v")
    net.record(net["learning"], "w", every="100 ms")
    return net


@pytest.fixture(scope="module")
def recorded(fast_backend) -> dict[str, Recording]:
    """Recordings of two seconds: of one network, of another seed, of another rate, and of other
    weights.
    """
    networks = {
        "one": network(),
        "seed": network(2),
        "rate": network(1, rate=23.0),
        "weight": network(2, weight="0.33 nA"),
    }
    return {
        name: ns.simulate(net, "2 s", backend=fast_backend, progress=False)
        for name, net in networks.items()
    }


def rows(a: Recording, b: Recording, **options) -> dict[str, dict]:
    return {row["quantity"]: row for row in ns.compare(a, b, **options)}


def test_a_recording_equals_itself_and_what_was_run_again(recorded, fast_backend):
    again = ns.simulate(network(), "2 s", backend=fast_backend, progress=False)
    compared = rows(recorded["one"], again)
    assert list(compared) == ["source: spikes", "cells: spikes", "cells: v", "learning: w"]
    assert all(row["pass"] for row in compared.values())


def test_one_moved_spike_and_one_ulp_are_seen_and_named(recorded):
    one = recorded["one"]
    spikes, trace = one["cells"].spikes, one["cells"].trace("v")
    steps, values = spikes.step.copy(), trace.values.copy()
    steps[-1] -= 1
    values[5, 7] = np.nextafter(values[5, 7], 9.0)
    moved = replace(spikes, step=steps)
    nudged = replace(trace, values=values)
    other = Recording(one.header, {"cells": type(one["cells"])("cells", 50, moved, {"v": nudged})})
    compared = rows(one, other)
    assert "2 differ, first: neuron" in compared["cells: spikes"]["measured"]
    assert not compared["cells: spikes"]["pass"]
    assert "1 of 100000 differ" in compared["cells: v"]["measured"]
    assert "member 7 at 6 ms" in compared["cells: v"]["measured"]
    assert compared["source: recorded"]["measured"] == "in one only"
    assert not compared["source: recorded"]["pass"]


def test_the_same_spikes_recorded_of_other_neurons_are_not_the_same(recorded):
    one = recorded["one"]["cells"].spikes
    silent = replace(one, size=52, members=None)
    both = silent, replace(silent, members=range(50))
    pair = [
        Recording(
            recorded["one"].header, {"cells": type(recorded["one"]["cells"])("cells", 52, spikes)}
        )
        for spikes in both
    ]
    row = rows(*pair)["cells: spikes"]
    assert row["measured"] == f"{len(one)} and {len(one)}, of other neurons" and not row["pass"]
    assert rows(pair[1], pair[1])["cells: spikes"]["pass"]


def test_another_seed_is_alike_and_another_rate_or_weight_is_not(recorded):
    alike = rows(recorded["one"], recorded["seed"], statistical=True)
    assert [q.split(":")[1].split(",")[0].strip() for q in alike] == [
        "rate",
        "CV of intervals",
        "correlation",
    ] * 2 + ["weights at the end"]
    assert all(row["pass"] for row in alike.values()), alike
    # yet not equal
    assert not all(row["pass"] for row in rows(recorded["one"], recorded["seed"]).values())
    faster = rows(recorded["one"], recorded["rate"], statistical=True)
    assert not faster["source: rate, Hz"]["pass"]
    assert "differ by at most" in faster["source: rate, Hz"]["expected"]
    heavier = rows(recorded["one"], recorded["weight"], statistical=True)
    assert not heavier["learning: weights at the end, nA"]["pass"]
    assert heavier["source: rate, Hz"]["pass"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rate", -1.0, r"compare: rate: found -1, expected at least 0\. Correct it\."),
        ("cv", float("nan"), r"compare: cv: found nan, expected at least 0\. Correct it\."),
        ("bin", 0.0, r"compare: bin: found 0 ms, expected more than 0 ms\. Give a positive time\."),
    ],
)
def test_bounds_that_nothing_can_keep_are_refused(name, value, message):
    with pytest.raises(ns.NetworkError, match=message):
        Bounds(**{name: value})


def test_bounds_may_be_stated_and_too_short_a_recording_cannot_pass(recorded, fast_backend):
    wide = Bounds(rate=0.5, cv=1.0, correlation=0.5, weight=0.5)
    assert all(
        row["pass"]
        for row in rows(recorded["one"], recorded["rate"], statistical=True, bounds=wide).values()
    )
    assert not rows(recorded["one"], recorded["seed"], statistical=True, bounds=Bounds(rate=0.001))[
        "source: rate, Hz"
    ]["pass"]
    short = [
        ns.simulate(network(seed, rate=4.0), "40 ms", backend=fast_backend, progress=False)
        for seed in (1, 2)
    ]
    assert not rows(*short, statistical=True)["source: rate, Hz"]["pass"]


def test_what_cannot_be_compared_is_refused(recorded, fast_backend):
    net = ns.Network("other", dt="0.5 ms")
    net.record(net.poisson("source", 200, rate=20), "spikes")
    other = ns.simulate(net, "20 ms", backend=fast_backend, progress=False)
    with pytest.raises(
        ns.NetworkError,
        match="compare: time steps of 1 and 0.5 ms, expected the same. Compare them statistically",
    ):
        ns.compare(recorded["one"], other)
    with pytest.raises(
        ns.NetworkError,
        match="have no population or projection in common: source, cells, learning, and none",
    ):
        ns.compare(recorded["one"], Recording(other.header))
    with pytest.raises(
        ns.NetworkError,
        match="compare: found 'a.npz', expected two recordings. Load them with Recording.load",
    ):
        ns.compare("a.npz", other)


def reduced(
    recorded: Recording, *, spikes: bool = False, trace: bool = False, weights: int = 0
) -> Recording:
    """Return the parts of a recording: spikes or the trace of the cells, and so many samples of the
    weights.
    """
    cells, learning = recorded["cells"], recorded["learning"]
    w = learning.trace("w")
    seen = type(cells)(
        "cells", 50, cells.recorded if spikes else None, cells.traces if trace else {}
    )
    return Recording(
        recorded.header,
        {"cells": seen},
        {"learning": replace(learning, traces={"w": replace(w, values=w.values[:weights])})},
    )


def test_what_one_recording_alone_has_is_not_alike(recorded):
    both = reduced(recorded["one"], spikes=True, trace=True, weights=3)
    less = reduced(recorded["one"], trace=True, weights=0)
    lone = {
        "quantity": "cells: spikes",
        "measured": "in one only",
        "expected": "in both",
        "pass": False,
    }
    for pair in ((both, less), (less, both)):
        compared = rows(*pair, statistical=True)
        assert compared == {
            "cells: spikes": lone,
            "learning: w": lone | {"quantity": "learning: w"},
        }
        assert rows(*pair)["cells: spikes"] == lone
    assert [*rows(both, reduced(recorded["one"], spikes=True, weights=3))] == [
        "cells: spikes",
        "cells: v",
        "learning: w",
    ]


def test_a_comparison_of_nothing_is_refused(recorded, tmp_path, capsys):
    """Traces are not compared statistically, and weights without a sample not at all."""
    less = reduced(recorded["one"], trace=True)
    message = (
        "compare: found no spikes or weights of cells, learning in either recording, ",
        "expected some in both. ",
        "Record spikes, or w of a projection, and run for longer than its distance between "
        "samples.",
    )
    with pytest.raises(ns.NetworkError, match=parts(*message)):
        ns.compare(less, less, statistical=True)
    path = str(less.save(tmp_path / "less.npz"))
    assert main(["compare", path, path, "--statistical"]) == 2
    assert message[0] in capsys.readouterr().err
    nothing = Recording(less.header, {"cells": type(less["cells"])("cells", 50)})
    with pytest.raises(
        ns.NetworkError,
        match=parts(
            "compare: found no spikes or samples of cells in either recording", "Record some"
        ),
    ):
        ns.compare(nothing, nothing)


def test_a_recording_of_few_steps_tells_no_rate(fast_backend):
    """Nine steps have no ten parts: there is nothing that could differ, and nothing that could be
    alike.
    """
    few = [
        ns.simulate(network(seed), "9 ms", backend=fast_backend, progress=False) for seed in (1, 2)
    ]
    row = rows(*few, statistical=True)["source: rate, Hz"]
    assert row["measured"] == "from 0 and 0 values: too few to say" and not row["pass"]


def test_the_command_prints_a_table_draws_a_picture_and_exits_with_1_where_they_differ(
    recorded, tmp_path, capsys
):
    paths = {
        name: str(recording.save(tmp_path / f"{name}.npz")) for name, recording in recorded.items()
    }
    assert main(["compare", paths["one"], paths["one"]]) == 0
    assert main(["compare", paths["one"], paths["seed"]]) == 1
    assert "MISS" in capsys.readouterr().out
    assert (
        main(
            [
                "compare",
                paths["one"],
                paths["seed"],
                "--statistical",
                "--picture",
                str(tmp_path / "pictures" / "both.png"),
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "cells: CV of intervals" in out and "MISS" not in out and "both.png" in out
    assert (tmp_path / "pictures" / "both.png").stat().st_size > 10_000
    assert main(["compare", paths["one"], paths["rate"], "--statistical", "--rate", "0.5"]) in (
        0,
        1,
    )
    assert main(["compare", paths["one"], str(tmp_path / "none.npz")]) == 2


def test_the_picture_has_a_row_for_each_population_that_both_recorded(recorded):
    figure = ns.plot.comparison(
        recorded["one"], recorded["seed"], names=("seed 1", "seed 2"), stop=300
    )
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[:2] == ["source, seed 1", "source, seed 2"] and len(figure.axes) == 10
    assert [ax.get_xlabel() for ax in figure.axes[2:5]] == [
        "rate (Hz)",
        "interval (ms)",
        "CV of intervals",
    ]
    with pytest.raises(ns.NetworkError, match="found no population whose spikes both recorded"):
        ns.plot.comparison(recorded["one"], Recording(recorded["one"].header))


def test_what_changes_over_time_in_both_does_not_count_as_uncertainty(fast_backend):
    """Rates of 60 Hz, then 10 Hz, in both: the difference is known to 1 Hz, although the rate
    itself varies by 25 Hz.
    """
    recordings = []
    for seed in (1, 2):
        net = ns.Network("course", dt="1 ms", seed=seed)
        net.record(
            net.poisson("source", 300, rate=ns.table([60.0, 10.0], every="1 s", unit="Hz")),
            "spikes",
        )
        recordings.append(ns.simulate(net, "2 s", backend=fast_backend, progress=False))
    row = rows(*recordings, statistical=True, bounds=Bounds(rate=0.05))["source: rate, Hz"]
    assert row["pass"] and float(row["measured"].split("±")[1]) < 1.5, row


def in_volts(unit: str, numbers: list[float]) -> Recording:
    values = np.array(numbers)[:, None]
    trace = Trace(
        values,
        every=1,
        first=0,
        members=np.arange(1),
        initial=values[0],
        dt=1.0,
        unit=unit,
    )
    header = {"dt": 1.0, "steps": len(numbers)}
    return Recording(header, {"cells": PopulationRecording("cells", 1, None, {"v": trace})})


def test_recordings_in_other_units_of_one_quantity_are_compared_as_such():
    millivolts = in_volts("mV", [50.0, -65.0])
    for other, alike in (
        (in_volts("V", [0.05, -0.065]), True),
        (in_volts("V", [50.0, -65.0]), False),
        (in_volts("pA", [50.0, -65.0]), False),
    ):
        (row,) = rows(millivolts, other).values()
        assert row["pass"] == alike, row
    assert "in mV and in pA" in row["measured"]
