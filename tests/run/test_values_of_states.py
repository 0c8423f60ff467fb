"""Files of states whose numbers no run has are refused; their constants are computed anew."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

RULE = ns.Rule(
    edge="w : nA; dy/dt = -g * y / C : 1",
    handlers=[("pre", "out += w * y * Mohm / resistance_post; y += 1")],
    parameters={"g": ns.Parameter("uS", 0.1), "C": ns.Parameter("nF", 1.0, per="edge")},
)


def prepare(backend):
    net = ns.Network("net", dt="0.1 ms", seed=1)
    p = net.population("p", 3, cells.lif())
    s = net.poisson("s", 2, rate=500)
    net.project(s, p, ns.all_to_all(), rule=RULE, weight=0.1, port="synaptic", name="q")
    net.every("1 ms", p, "v = v * mV / threshold")
    net.poisson_drive(p, n=2, rate=100, weight=0.1, port="synaptic", name="d")
    net.record(p, "v")
    return ns.prepare(net, backend=backend)


def write(path, entry, number):
    """Write a copy of a file of states with another first number in an array."""
    changed = path.with_name("changed.npz")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == f"memory/{entry}.npy":
                array = np.load(io.BytesIO(content))
                array.flat[0] = number
                buffer = io.BytesIO()
                np.save(buffer, array)
                content = buffer.getvalue()
            copy.writestr(name, content)
    return changed


@pytest.mark.parametrize(
    ("entry", "number", "message"),
    [
        ("p/tau", 0.0, "'p', tau: found 0 ms, expected more than 0 ms"),
        ("p/tau", -5.0, "'p', tau: found -5 ms, expected more than 0 ms"),
        ("p/tau", 5e-324, "'p', tau: found 4.94066e-324 ms, expected another value than 0"),
        ("p/tau", np.nan, "'tau' of 'p' holds values that no run has, expected finite numbers"),
        ("p/refractory", 0.123, "'p': refractory time 0.123 ms is not a multiple of dt"),
        ("p/v", np.inf, "'v' of 'p' holds values that no run has"),
        ("p/_port_synaptic", np.nan, "'_port_synaptic' of 'p' holds values that no run has"),
        ("q/C", 0.0, r"'q', C: found 0 nF for edge 0 \(0 -> 0\), expected another value than 0"),
        ("p/resistance", 0.0, "'q', resistance_post: found 0 Mohm, expected another value than 0"),
        ("p/threshold", 0.0, "every, population 'p', threshold: found 0 mV, expected another"),
        ("q/w", np.inf, "'w' of 'q' holds values that no run has"),
        ("q/_ring", np.nan, "'_ring' of 'q' holds values that no run has"),
        ("s/rate", -1.0, "'s', rate: found -1000 Hz, expected 0 Hz or more"),
        ("s/rate", 11.0, "'s', rate: found 11000 Hz, expected 10000 Hz or less"),
        ("d/rate", 1e12, r"'d', rate: found 5e\+14 Hz, expected 5e\+09 Hz or less"),
    ],
)
def test_a_number_that_no_run_has_is_refused_and_changes_nothing(entry, number, message, tmp_path):
    run = prepare("reference")
    run.run("1 ms")
    run.save(tmp_path / "state.npz")
    other = prepare("reference")
    before = {key: array.copy() for key, array in other.memory.arrays.items()}
    with pytest.raises(ns.NetworkError, match=message):
        other.load(write(tmp_path / "state.npz", entry, number))
    assert all(np.array_equal(array, before[key]) for key, array in other.memory.arrays.items())
    other.load(tmp_path / "state.npz")
    assert other.time == 1


@pytest.mark.parametrize("entry", ["p/_P0_0_v_v", "q/_decay_y", "s/_c0"])
def test_constants_of_a_file_are_computed_anew(backend_of_states, entry, tmp_path):
    run = prepare(backend_of_states)
    run.run("1 ms")
    run.save(tmp_path / "state.npz")
    other = prepare(backend_of_states)
    other.load(write(tmp_path / "state.npz", entry, 7.0))
    for one in (run, other):
        one.run("2 ms")
    assert run.result() == other.result()


@pytest.fixture(params=["reference", "cpu"])
def backend_of_states(request):
    return request.param
