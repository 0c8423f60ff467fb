"""Keys of runs and results: digests of all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ..backend.discovery import find
from ..backend.lowering import Backend
from ..distribution import DISTRIBUTION
from ..network.network import Network
from ..network.populations import View
from .grid import Point

# Options that change no result.
_WITHOUT_EFFECT = ("threads", "folder")


def settings_digest(backend: str | Backend, options: Mapping[str, Any], time: float) -> str:
    """Return a digest of everything in the call of a sweep that decides about its runs.

    Parameters
    ----------
    backend : str or Backend
    options : mapping
        Of the backend; those that change no result are left out.
    time : float, ms
    """
    name = backend if isinstance(backend, str) else backend.name
    effective = {k: v for k, v in options.items() if k not in _WITHOUT_EFFECT}
    return _digest(
        {
            "backend": str(name),
            "configured": dict(getattr(backend, "options", {})),
            "options": effective,
            "time": time,
            "versions": _versions(find(backend)),
        }
    )


def early_key(point: Point, build: str, settings: str) -> str:
    """Return the key of a job whose network is not known, because it could not be built.

    Parameters
    ----------
    point : Point
    build, settings : str
        Digests.
    """
    return _digest({"point": point.data(), "build": build, "settings": settings})


def run_key(
    point: Point,
    network: Network,
    *,
    drawn: str,
    settings: str,
) -> str:
    """Return the key of a run: what it would record.

    Parameters
    ----------
    point : Point
    network : Network
        Of which the probes are read.
    drawn : str
        The hash of the network with all draws made.
    settings : str
        Digest.
    """
    probes = []
    for probe in network.probes:
        neurons = probe.owner.indices if isinstance(probe.owner, View) else None
        probes.append(
            {
                "owner": probe.owner.name,
                "variable": probe.variable,
                "every": probe.every,
                "name": probe.label,
                "at_spikes": probe.at_spikes,
                "neurons": _array(neurons),
                "edges": _array(probe.edges),
            }
        )
    content = {"point": point.data(), "network": drawn, "settings": settings, "probes": probes}
    return _digest(content)


def result_key(run: str, measure: str) -> str:
    """Return the key of a result: a run, and the digest of the function that measures it."""
    return _digest({"run": run, "measure": measure})


def _array(values: Any) -> str | None:
    if values is None:
        return None
    content = np.asarray(values, np.int64).tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _versions(backend: Backend) -> dict[str, str]:
    packages = (DISTRIBUTION, "numpy", "numba", *getattr(backend, "packages", ()))
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
