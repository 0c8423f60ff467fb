"""Conformance: every test here runs on every backend.

A test asks for ``backend`` and names none. Backends that hold a run open run by default. Those that
translate a network for another simulator are marked slow: they start a process for each run.

A test that a backend cannot pass stands in ``CANNOT`` with the reason. It is expected to fail
there: if it passes, the reason is stale, and the test fails until the line is removed. A backend
that translates may also refuse a network, or a verb that it has not, in its own words: these are
then the reason.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from support.backends import ready

import neurosim as ns
from neurosim.backend.lowering import Backend

BACKENDS = ("reference", "cpu", "brian", "gpu")
TRANSLATED = ("nest", "pynn-brian2")

_LATER = "a delay of 0 becomes one step"
_SEVERAL = "sources emit several spikes in a step, of which a recording has one"
# Backend -> name of a test, or of one of its cases -> why the backend cannot pass it.
CANNOT: dict[str, dict[str, str]] = {
    "reference": {},
    "cpu": {},
    "brian": {},
    "gpu": {},
    "nest": {
        "test_poisson_sources_have_their_rate_their_intervals_and_no_memory[nest-400.0]": _SEVERAL,
        "test_poisson_sources_have_their_rate_their_intervals_and_no_memory[nest-1000.0]": _SEVERAL,
        "test_a_poisson_source_follows_the_table_of_its_rate": _SEVERAL,
    },
    "pynn-brian2": {
        "test_equal_time_constants_give_an_alpha_function": "Brian 2's closed form divides by 0",
        "test_excitation_and_inhibition_add_with_their_own_time_constants": _LATER,
        "test_jumps_of_the_voltage_decay_and_add[pynn-brian2-cell0--70.0]": _LATER,
    },
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        names = getattr(metafunc.module, "BACKENDS", BACKENDS + TRANSLATED)
        metafunc.parametrize("backend", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> str | Backend:
    """Each backend in turn; one that is not installed is skipped."""
    return ready(request.param)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that run another simulator, and those that a backend cannot pass."""
    for item in items:
        name = _backend_of(item)
        if name not in (None, "reference", "cpu", "gpu"):
            item.add_marker(pytest.mark.simulator)
        if name in TRANSLATED:
            item.add_marker(pytest.mark.slow)
        reasons = CANNOT.get(str(name), {})
        reason = reasons.get(getattr(item, "originalname", "")) or reasons.get(item.name)
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Take the refusal of a backend that translates as the reason why it cannot pass a test."""
    try:
        return (yield)
    except ns.NeurosimError as refusal:
        lacks_a_verb = "because it runs once" in str(refusal) or "and runs once" in str(refusal)
        refused = isinstance(refusal, ns.LoweringError) or lacks_a_verb
        if _backend_of(pyfuncitem) not in TRANSLATED or not refused:
            raise
        pytest.xfail(str(refusal).splitlines()[0])


def _backend_of(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "callspec", None), "params", {}).get("backend")
