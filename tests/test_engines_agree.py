"""Rung 3: engines agree to the last bit over random networks, for any number of threads and any split of a run."""

from __future__ import annotations

import random_networks as rn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neurosim as ns

COMMON = dict(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def prepared(story, backend, **options):
    return rn.play(ns.prepare(story.net, backend=backend, **options), story.actions)


@settings(max_examples=40, **COMMON)
@given(rn.stories())
def test_cpu(story):
    wanted = rn.outcome(prepared(story, "reference"))
    for threads in (1, 2):
        assert rn.differences(wanted, rn.outcome(prepared(story, "cpu", threads=threads))) == []
