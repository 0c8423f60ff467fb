"""Conformance: every test here runs on every backend that can hold a run open.

A test asks for ``backend`` and names none. A test that a backend cannot pass stands in ``CANNOT``
with the reason. It is expected to fail there: if it passes, the reason is stale, and the test fails
until the line is removed. ``--backends=nest,pynn-brian2`` adds others by hand.
"""

from __future__ import annotations

import pytest
from support.backends import ready

BACKENDS = ("reference", "cpu", "brian")

# Backend -> name of a test -> why the backend cannot pass it.
CANNOT: dict[str, dict[str, str]] = {"reference": {}, "cpu": {}, "brian": {}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        extra = metafunc.config.getoption("backends")
        names = (
            *getattr(metafunc.module, "BACKENDS", BACKENDS),
            *(name for name in extra.split(",") if name),
        )
        metafunc.parametrize("backend", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn; one that is not installed is skipped."""
    return ready(request.param)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that run another simulator, and those that a backend cannot pass."""
    for item in items:
        name = getattr(getattr(item, "callspec", None), "params", {}).get("backend")
        if name not in (None, "reference", "cpu"):
            item.add_marker(pytest.mark.simulator)
        reason = CANNOT.get(str(name), {}).get(getattr(item, "originalname", ""))
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
