"""Compiled code for float32: no float64 in its loops, nothing compiled twice, and float64 stays as
it is printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support.machine_code import packed

import neurosim as ns
from neurosim.backends.cpu import cache
from neurosim.compiled.cache import load
from neurosim.models import cells
from neurosim.models.balanced_networks import cuba


@pytest.mark.parametrize(
    "cell",
    [
        cells.lif_exponential(),
        cells.lif_conductance(),
        cells.izhikevich(synapse="exponential", noise=1.0),
    ],
    ids=lambda c: c.name,
)
def test_no_float64_is_left_in_the_loop_of_a_cell_and_one_that_slips_in_is_seen(cell):
    net = ns.Network("one", dt="0.1 ms")
    net.population("p", 100, cell)
    source = ns.prepare(net, backend="cpu", precision="float32").source
    slipped = source.replace("v = load(_at_v, _n, 'v')", "v = 1.1 * load(_at_v, _n, 'v')", 1)
    assert slipped != source and wide(source) == 0 < wide(slipped)
    assert packed(source, x86="ps", arm="4s") >= 5 and packed(source) == 0


def wide(source: str) -> int:
    """Return how often LLVM computes with float64 in the integration of a cell, except what is done
    once per call.
    """
    code = load("cell", source, engine=cache.HERE).integrate._library.get_llvm_str()
    return len(
        re.findall(r"\bf(?:add|sub|mul|div|cmp \w+|ptrunc) double|fpext", code)
    ) - source.split("def reset")[0].count("_dt = load_double")


SCRIPT = """
from numba.core import event
import neurosim as ns
from neurosim.models.balanced_networks import cuba
seen = event.RecordingListener()
with event.install_listener("numba:run_pass", seen):
    recording = ns.simulate(
        cuba(400), "300 ms", backend="cpu", precision="float32", progress=False
    )
spikes = recording["neurons"].spikes
print(len(seen.buffer), spikes.index.size)
"""


@pytest.mark.process
def test_the_second_start_compiles_nothing(tmp_path):
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"NEUROSIM_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said.append([int(word) for word in done.stdout.split()])
    assert said[0][0] > 1000 and said[1][0] == 0 and said[0][1] == said[1][1] > 100


def test_float64_stays_as_it_is_printed():
    """Its compiled code, and so its speed, does not know of another precision."""
    run = ns.prepare(cuba(100), backend="cpu")
    assert "single" not in run.source
    assert "float(" not in run.source
    assert "float(0.0)" in ns.prepare(cuba(100), backend="cpu", precision="float32").source
