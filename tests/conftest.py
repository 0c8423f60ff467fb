"""Fixtures: a test that runs a network asks for a backend and names none."""

import signal

import pytest

from neurosim.backend import find
from neurosim.errors import NetworkError


def ready(name: str) -> str:
    """Return the name of a backend, or skip the test where what it needs is not installed; a broken backend fails."""
    try:
        find(name)
    except NetworkError as error:
        pytest.skip(str(error))
    return name


@pytest.fixture(scope="session", params=["reference", "cpu"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each engine of the explicit step in turn."""
    return ready(request.param)


@pytest.fixture(scope="session")
def fast_backend() -> str:
    """The engine for large samples and long runs."""
    return ready("cpu")


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> None:
    """What a shell starts in the background is born deaf to Ctrl-C, as its children are; and Brian 2, imported by a test, takes Ctrl-C for itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
