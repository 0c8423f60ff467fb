"""Backends are looked up once; one that is installed meanwhile is found all the same."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import neurosim as ns
from neurosim.backend import discovery


def test_a_backend_that_is_installed_while_the_process_runs_is_found(monkeypatch):
    with pytest.raises(ns.NetworkError, match="backend.*'late'"):
        discovery.find("late")
    late = EntryPoint("late", "neurosim.backends.reference:backend", "neurosim.backends")
    monkeypatch.setattr(discovery, "_entries", lambda: [late])
    assert discovery.find("late").name == "reference"
    discovery._entry.cache_clear()


def test_packages_are_searched_for_a_backend_once(monkeypatch):
    """Reading their entry points takes as long as preparing a small network."""
    backend = discovery.find("reference")
    monkeypatch.setattr(discovery, "_entries", lambda: pytest.fail("searched again"))
    assert discovery.find("reference") is backend
