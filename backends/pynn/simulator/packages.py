"""Packages that exported scripts need, and their versions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGES = {
    "nest": ("PyNN", "nest-simulator", "numpy"),
    "pynn-brian2": ("PyNN", "Brian2", "numpy"),
    "spinnaker": ("PyNN", "sPyNNaker", "numpy"),
}
# Versions that the facts about the targets were probed with.
PROBED = {
    "PyNN": "0.13.0",
    "nest-simulator": "3.10.0",
    "Brian2": "2.9.0",
    "sPyNNaker": "1!7.4.1",
}


def installed_version(package: str) -> str:
    """Return the version of a package on this machine."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
