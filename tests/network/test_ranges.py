"""The range check: what is inside, what is outside, what is skipped, and how the message reads."""

import re

import numpy as np
import pytest

import neurosim as ns
from neurosim.draws.ranges import NOT_NEGATIVE, POSITIVE, PROBABILITY, Limits, require_range
from neurosim.units import unit

MV, HZ = unit("mV"), unit("Hz")


@pytest.mark.parametrize(
    "value, limits",
    [
        (0.0, NOT_NEGATIVE),
        (1e-300, POSITIVE),
        (np.array([0.0, 1.0]), PROBABILITY),
        (np.empty(0), POSITIVE),
        (-np.inf, Limits()),
        (ns.table([0.0, 1.0], every="1 ms"), PROBABILITY),
        (ns.uniform(0, 1), PROBABILITY),
        (ns.integers(0, 2), PROBABILITY),
        ("rate + 1", POSITIVE),
        (None, POSITIVE),
    ],
)
def test_values_within_their_limits_pass(value, limits):
    require_range(value, limits, where="x", declared=unit("1"))


@pytest.mark.parametrize(
    "value, limits, message",
    [
        (0.0, POSITIVE, "x: found 0, expected more than 0. Correct it."),
        (-1e-9, NOT_NEGATIVE, "x: found -1e-09, expected 0 or more. Correct it."),
        (np.nan, NOT_NEGATIVE, "x: found nan, expected 0 or more. Correct it."),
        (
            np.array([0.5, 1.5]),
            PROBABILITY,
            "x: found 1.5, expected 0 to 1. Correct it. It stands at index 1.",
        ),
        (3, Limits(most=2.0), "x: found 3, expected 2 or less. Correct it."),
        (
            2.5,
            Limits(above=0.0, most=2.0),
            "x: found 2.5, expected more than 0 and 2 or less. Correct it.",
        ),
        (
            ns.table([[0.0], [-1.0]], every="1 ms"),
            NOT_NEGATIVE,
            "x: found -1, expected 0 or more. Correct it. It stands at index 1.",
        ),
        (
            ns.uniform(0, 2),
            PROBABILITY,
            "x: found uniform(low=0, high=2), which can fall outside, expected 0 to 1. "
            "Bound the draw with low= and high=, or draw uniformly.",
        ),
    ],
)
def test_values_outside_are_refused_with_value_and_limits(value, limits, message):
    with pytest.raises(ns.NetworkError, match=f"^{re.escape(message)}$"):
        require_range(value, limits, where="x", declared=unit("1"))


def test_numbers_are_shown_in_the_unit_in_which_they_are_written():
    """Rates are kept per ms and written in Hz."""
    with pytest.raises(ns.NetworkError, match="found -5 Hz, expected 0 Hz or more"):
        require_range(-0.005, NOT_NEGATIVE, where="x", declared=HZ)
    with pytest.raises(ns.ModelError, match="found 1 mV, expected 2 mV or more. Raise it."):
        require_range(
            1.0,
            Limits(least=2.0),
            where="x",
            unit=MV,
            remedy="Raise it.",
            error=ns.ModelError,
        )


def test_draws_and_tables_are_checked_only_with_the_unit_in_which_they_are_declared():
    draw, table = ns.normal("1 mV", "1 mV"), ns.table([-1.0], every="1 ms")
    for value in (draw, table):
        require_range(value, POSITIVE, where="x")
        with pytest.raises(ns.NetworkError, match="expected more than 0"):
            require_range(value, POSITIVE, where="x", declared=MV)
