"""Fixtures: a test that runs a network asks for a backend and names none."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.backends import ready

from neurosim.compiled import cache

TESTS = Path(__file__).parent
# Folders whose tests run another simulator.
SIMULATORS = (TESTS / "backends" / "brian", TESTS / "backends" / "pynn")

# The files that take longest, the longest first: two processes that share the files out then end at
# about the same time.
LONGEST = [
    TESTS / name
    for name in (
        "backends/brian/test_brian.py",
        "backends/cpu/test_cpu_delivery.py",
        "backends/cpu/test_single_precision.py",
        "backends/cpu/test_cpu_cache.py",
        "conformance/test_engines_agree.py",
        "backends/pynn/test_pynn_run.py",
        "backends/pynn/test_pynn_agreement.py",
        "models/test_nonlinear_cells.py",
        "backends/pynn/test_pynn_spinnaker.py",
        "models/test_ca3_memory.py",
        "project/test_documentation.py",
        "backends/cpu/test_single_code.py",
        "conformance/test_closed_forms.py",
        "run/test_snapshots.py",
        "backends/pynn/test_pynn_rows.py",
        "ir/test_index_types.py",
        "cli/test_run_options.py",
        "backends/cpu/test_cpu_source.py",
        "run/test_run.py",
        "backends/cpu/test_cpu_engine.py",
        "backends/pynn/test_pynn_report.py",
        "models/test_balanced_networks.py",
        "backends/pynn/test_pynn_traps.py",
        "models/test_prediction_reservoir.py",
        "models/test_plasticity_published.py",
        "network/test_connect_large.py",
        "backends/pynn/test_pynn_export.py",
        "language/test_functions.py",
    )
]


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of other simulators, and begin with the files that take longest."""
    gone = [str(path) for path in LONGEST if not path.is_file()]
    if gone:
        raise pytest.UsageError(f"LONGEST in tests/conftest.py names no file: {', '.join(gone)}")
    ranks = {path: rank for rank, path in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))
    for item in items:
        if item.path.parent in SIMULATORS:
            item.add_marker(pytest.mark.simulator)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backends", default="", help="further backends for tests/conformance")


@pytest.fixture(scope="session", params=["reference", "cpu"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each engine of the explicit step in turn."""
    return ready(request.param)


@pytest.fixture(scope="session")
def fast_backend() -> str:
    """The engine for large samples and long runs."""
    return ready("cpu")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of this test alone: code from another's cache on disk cannot be looked into."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path / "cache"))
    cache.folder.cache_clear()
    yield
    cache.folder.cache_clear()


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> None:
    """Let each test hear Ctrl-C.

    A process that a shell starts in the background ignores it, as do its children. Brian 2 takes
    Ctrl-C for itself once a test imports it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
