"""Acceptance checks of the models: each can pass and can fail, and needs experiments that exist."""

import json
import pickle

import pytest
from support.good_results import (
    SPOILED_MEMORY,
    SPOILED_RESERVOIR,
    memory_results,
    reservoir_results,
)

from neurosim.models import ca3_memory, prediction_reservoir

MEMORY, RESERVOIR = ca3_memory.model, prediction_reservoir.model
GOOD = {
    MEMORY.name: (memory_results, SPOILED_MEMORY),
    RESERVOIR.name: (reservoir_results, SPOILED_RESERVOIR),
}


@pytest.mark.parametrize(
    ("model", "check"), [pytest.param(m, c, id=c.id) for m in (MEMORY, RESERVOIR) for c in m.checks]
)
def test_each_check_accepts_good_results_and_refuses_spoiled_ones(model, check):
    good, spoiled = GOOD[model.name]
    results = {name: good(name) for name in check.needs}
    measured, passed = check.judge(results)
    assert passed
    json.dumps(measured)
    experiment, spoil = spoiled[check.id]
    assert not check.judge(
        {
            name: spoil(r) if name.rsplit("-", 1)[0] == experiment else r
            for name, r in results.items()
        }
    )[1]  # for all seeds


@pytest.mark.parametrize(
    ("model", "letter", "number"), [(MEMORY, "A", 14), (RESERVOIR, "B", 18)], ids=["A", "B"]
)
def test_every_check_needs_experiments_that_exist_and_travel_to_other_processes(
    model, letter, number
):
    assert [check.id for check in model.checks] == [f"{letter}{k}" for k in range(1, number + 1)]
    assert {name for check in model.checks for name in check.needs} == model.experiments.keys()
    assert all(check.needs for check in model.checks)
    for experiment in model.experiments.values():
        again = pickle.loads(pickle.dumps(experiment))
        assert getattr(again, "keywords", again) == getattr(experiment, "keywords", experiment)


def test_the_check_of_operations_needs_all_published_experiments():
    assert next(check for check in MEMORY.checks if check.id == "A3").needs == ("E1", "E2", "E3")
