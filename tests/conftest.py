"""Fixtures: a test that runs a network asks for a backend and names none."""

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import settings
from support.backends import ready
from support.examples import FEW
from support.longest import LONGEST
from support.without_kernels import WithoutKernels

TESTS = Path(__file__).parent
# Folders whose tests run another simulator.
SIMULATORS = (TESTS / "backends" / "brian", TESTS / "backends" / "pynn")
# Names of other simulators among the parameters of a test.
NAMES = {"brian", "nest", "pynn-brian2", "spinnaker"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make test-fast`."""
    parser.addoption(
        "--without-kernels",
        action="store_true",
        help="few random examples, and no test that needs compiled kernels, unless marked kernels",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse kernels if that is asked for, and draw fewer examples."""
    if config.getoption("--without-kernels"):
        config.pluginmanager.register(WithoutKernels())
        settings.load_profile(FEW)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of other simulators; several processes begin with the longest files."""
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST)}
    gone = [str(path) for path in ranks if not path.is_file()]
    if gone:
        raise pytest.UsageError(f"tests/support/longest.py names no file: {', '.join(gone)}")
    if hasattr(config, "workerinput"):  # one of several processes
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
        names = {parameter for parameter in parameters if isinstance(parameter, str)}
        if item.path.parent in SIMULATORS or names & NAMES:
            item.add_marker(pytest.mark.simulator)


@pytest.fixture(scope="session", params=["reference", "cpu"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each engine of the explicit step in turn."""
    return ready(request.param)


@pytest.fixture(scope="session")
def fast_backend() -> str:
    """The engine for large samples, long runs, and what a run does alike on all engines."""
    return ready("cpu")


@pytest.fixture(scope="module", autouse=True)
def _modules_are_no_garbage() -> None:
    """Let the garbage collector pass over all that lives as long as the process.

    Brian 2 collects garbage whenever a network is prepared. Among all modules that other tests
    have imported, that takes longer than the rest of a small run.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the last collection of the process find all of it, as libraries expect."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> None:
    """Let each test hear Ctrl-C.

    A process that a shell starts in the background ignores it, as do its children. Brian 2 takes
    Ctrl-C for itself once a test imports it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
