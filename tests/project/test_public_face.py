"""Users see public names alone, and their type checkers see the types of neurosim."""

from __future__ import annotations

import configparser
from pathlib import Path

import neurosim as ns

ROOT = Path(__file__).parents[2]


def test_dir_shows_public_names_alone():
    assert sorted(dir(ns)) == sorted([*ns.__all__, "__version__"])
    assert all(hasattr(ns, name) for name in dir(ns))


def test_the_marker_of_types_is_shipped():
    assert (ROOT / "neurosim" / "py.typed").is_file()
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "py.typed" in setup["options.package_data"]["neurosim"].split()


def test_generated_code_is_also_called_source(backend):
    net = ns.Network("net", dt="1 ms")
    net.population("cells", 1, ns.Cell("dv/dt = -v / (5 * ms) : 1"))
    run = ns.prepare(net, backend=backend)
    assert run.generated_code and run.source == run.generated_code
