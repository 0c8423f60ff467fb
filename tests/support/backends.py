"""Backends of tests: one that is not installed skips the test."""

import pytest

from neurosim.backend.discovery import find
from neurosim.backend.lowering import Backend, Configured
from neurosim.errors import NetworkError


def ready(name: str) -> str | Backend:
    """Return the name of a backend, or skip the test if a package of it is missing.

    A broken backend fails. "gpu" computes on the processor, which every machine has.
    """
    try:
        backend = find(name)
    except NetworkError as error:
        pytest.skip(str(error))
    return Configured(backend, {"device": "cpu"}) if name == "gpu" else name
