"""What the cpu backend says of precision="float32": the report, unknown precisions, states of
another precision.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.cpu_networks import plastic

import neurosim as ns

ROUNDOFF = 2.0**-24


def test_the_report_names_what_is_approximated_by_how_much_and_what_is_not(tmp_path):
    net = plastic()
    net.spike_source("given", 3, steps=[[1], [2], [3]])
    report = ns.check(net, backend="cpu", precision="float32")
    rows = {str(row.place): row for row in report.rows}
    for part in (
        "population 'a'",
        "population 'source'",
        "projection 'learned'",
        "projection 'loop'",
        "drive 'input'",
    ):
        assert rows[part].status == "approximated" and "6.0e-8 (2**-24)" in rows[part].reason
    assert "weights" in rows["projection 'loop'"].reason
    assert "rule 'rule'" in rows["projection 'learned'"].reason
    assert rows["population 'given'"].status == rows["edges, delays, draws"].status == "exact"
    assert "grain of 0.01 ms after 2 minutes" in rows["time t"].reason
    assert ns.check(net, backend="cpu", precision="float64") == ns.check(net, backend="cpu")
    assert not ns.check(net, backend="cpu").of("approximated")
    ns.simulate(net, "1 ms", backend="cpu", precision="float32", progress=False).save(
        tmp_path / "result.npz"
    )
    said = ns.Recording.load(tmp_path / "result.npz").header["report"]
    assert [row["place"] for row in said] == [str(row.place) for row in report.of("approximated")]


def test_roundoffs_and_grains_of_the_report_are_true():
    weights = np.random.default_rng(1).uniform(1e-6, 10, 100_000)
    error = np.abs(weights.astype(np.float32) / weights - 1).max()
    assert 5.5e-8 < error <= ROUNDOFF < 6.0e-8
    assert np.spacing(np.float32(120_000)) == pytest.approx(0.008, rel=0.03)
    assert np.spacing(np.float32(3_600_000)) == 0.25


@pytest.mark.parametrize("precision", ["float16", 32, None, np.float32])
@pytest.mark.parametrize("verb", [ns.check, ns.prepare])
def test_an_unknown_precision_is_refused(verb, precision):
    words = (
        r"backend 'cpu', precision: found .*, expected 'float64' \(equal to the reference\) "
        r"or 'float32'\. Give one of these names\."
    )
    with pytest.raises(ns.NetworkError, match=words):
        verb(plastic(), backend="cpu", precision=precision)


@pytest.mark.parametrize(("mine", "theirs"), [("float64", "float32"), ("float32", "float64")])
def test_states_of_another_precision_are_refused(mine, theirs, tmp_path):
    run, other = (
        ns.prepare(plastic(), backend="cpu", precision=precision) for precision in (mine, theirs)
    )
    other.save(tmp_path / "state.npz")
    words = (
        rf"holds {theirs} numbers, expected the {mine} of this run\. "
        rf"Prepare the run with precision='{theirs}', or start anew\."
    )
    with pytest.raises(ns.NetworkError, match=rf"load: .*state\.npz {words}"):
        run.load(tmp_path / "state.npz")
    with pytest.raises(ns.NetworkError, match=rf"restore: the snapshot {words}"):
        run.restore(other.snapshot())
