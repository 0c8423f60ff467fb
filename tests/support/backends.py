"""Backends of tests: one that is not installed skips the test."""

import pytest

from neurosim.backend.discovery import find
from neurosim.errors import NetworkError


def ready(name: str) -> str:
    """Return the name of a backend, or skip the test if a package of it is missing.

    A broken backend fails.
    """
    try:
        find(name)
    except NetworkError as error:
        pytest.skip(str(error))
    return name
