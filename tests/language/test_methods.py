"""Integration methods: the order of each by halving dt, exactness where it is promised, which
method each state gets, and every refusal.
"""

import math

import numpy as np
import pytest

import neurosim as ns
from neurosim.ir.discretise import cell_program
from neurosim.model.integration.methods import choose
from neurosim.models import cells

END = 4.0  # ms, a whole number of all steps
STEPS = [0.5, 0.25, 0.125, 0.0625, 0.03125]
ORDERS = {"euler": 1, "exponential_euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
# Each cell, its initial values, and the solution at time t. 'sweep' depends on time through its
# clock s, and is linear in x if s is held.
SWEEP = (
    "dx/dt = -x * s / width**2 : mV; ds/dt = 1 : ms",
    {"width": "2 ms"},
    {"x": 3.0},
    lambda t: 3 * math.exp(-(t**2) / 8),
)
LOGISTIC = (
    "dx/dt = x * (1 - x / high) / tau : mV",
    {"tau": "1 ms", "high": "5 mV"},
    {"x": 0.5},
    lambda t: 5 / (1 + 9 * math.exp(-t)),
)
# The midpoint method is exact for the first, because the mean of s is its middle.
CASES = [(SWEEP, method) for method in ORDERS if method != "midpoint"] + [
    (LOGISTIC, method) for method in ("euler", "midpoint", "heun", "rk4")
]


def final(cell: ns.Cell, initial: dict[str, float], dt: float, backend: str) -> float:
    net = ns.Network("test", dt=dt)
    neuron = net.population("neuron", 1, cell, **initial)
    net.record(neuron, "x", every=END)
    return float(
        ns.simulate(net, END, backend=backend, progress=False)["neuron"].trace("x").values[-1, 0]
    )


def slopes(errors: list[float]) -> np.ndarray:
    """Return the order that each halving of dt shows."""
    return np.log2(np.array(errors[:-1]) / errors[1:])


def shows_order(errors: list[float], order: int) -> bool:
    """Every slope is within 0.45 of the order, and each is nearer to it than the one before or
    within 0.1.
    """
    away = np.abs(slopes(errors) - order)
    return bool(
        (away < 0.45).all() and ((away[1:] < away[:-1]) | (away[1:] < 0.1)).all() and away[-1] < 0.1
    )


@pytest.mark.parametrize(("case", "method"), CASES)
def test_halving_dt_shows_the_order_of_the_method_and_no_other(backend, case, method):
    equations, parameters, initial, solution = case
    cell = ns.Cell(equations, parameters=parameters, method=method)
    errors = [abs(final(cell, initial, dt, backend) - solution(END)) for dt in STEPS]
    assert [order for order in (1, 2, 3, 4) if shows_order(errors, order)] == [ORDERS[method]]


def test_the_check_of_the_order_refuses_errors_that_stall_or_belong_to_another_order():
    assert shows_order([dt**2 for dt in STEPS], 2)
    assert not shows_order([dt**2 for dt in STEPS], 1)
    assert not shows_order([dt**1.8 for dt in STEPS], 2)
    assert not shows_order([dt**2 + 1e-3 for dt in STEPS], 2)


def test_the_mean_of_a_conductance_over_the_step_makes_the_voltage_one_of_second_order(backend):
    """The solution is rk4 at a hundredth of a step; exponential Euler with the conductance of the
    step's beginning is of first order.
    """
    parameters = {"tau": "3 ms", "tau_syn": "2 ms", "reversal": "60 mV"}
    equations = "dx/dt = -x / tau + g * (reversal - x) / ms : mV; dg/dt = -g / tau_syn : 1"
    fine = ns.Cell(equations, parameters=parameters, method="rk4")
    solution = final(fine, {"g": 0.8}, 0.0078125, backend)
    for method, order in ((None, 2), ("exponential_euler", 1)):
        cell = ns.Cell(equations, parameters=parameters, method=method)
        errors = [abs(final(cell, {"g": 0.8}, dt, backend) - solution) for dt in STEPS]
        assert [number for number in (1, 2, 3, 4) if shows_order(errors, number)] == [order]
    cell = ns.Cell(equations, parameters=parameters)
    assert dict(cell_program(cell).methods) == {"x": "midpoint", "g": "exact"}


def test_a_conductance_with_an_input_of_its_own_is_averaged_over_both_ends(backend):
    parameters = {"tau": "3 ms", "tau_syn": "2 ms", "reversal": "60 mV"}
    equations = "dx/dt = -x / tau + g * (reversal - x) / ms : mV; dg/dt = (1 - g) / tau_syn : 1"
    fine = ns.Cell(equations, parameters=parameters, method="rk4")
    solution = final(fine, {"g": 0.1}, 0.0078125, backend)
    cell = ns.Cell(equations, parameters=parameters)
    errors = [abs(final(cell, {"g": 0.1}, dt, backend) - solution) for dt in STEPS]
    assert [order for order in (1, 2, 3, 4) if shows_order(errors, order)] == [2]


def test_a_state_that_is_frozen_stays_in_the_middle_of_the_step_too(backend):
    """While v is frozen at 0, w follows it: w would move if it read where v wants to go."""
    cell = ns.Cell(
        "dv/dt = (10 * mV - v) * (1 + w**2) / ms : mV; dw/dt = v / mV * (1 - w) / ms : 1",
        spike="v > 1 * mV",
        after_spike="v = 0 * mV; w = 0",
        refractory=ns.Refractory("2 ms", freezes="v"),
    )
    net = ns.Network("frozen", dt=0.125)
    net.record(net.population("neuron", 1, cell), "v", "w")
    traces = ns.simulate(net, "1 ms", backend=backend, progress=False)["neuron"].traces
    assert traces["v"].initial == 0
    # The first step spikes, and all others are refractory.
    assert (traces["v"].values == 0).all() and (traces["w"].values == 0).all()


@pytest.mark.parametrize("dt", [2.0, 0.5, 0.0625])
def test_an_oscillator_is_exact_at_any_step(backend, dt):
    """The propagator turns by omega dt; 1e-12 leaves room for the rounding of 64 turns."""
    cell = ns.Cell(
        "dx/dt = -omega * y : 1; dy/dt = omega * x : 1",
        parameters={"omega": "1.3 1/ms"},
        method="exact",
    )
    assert final(cell, {"x": 1.0, "y": 0.0}, dt, backend) == pytest.approx(
        math.cos(1.3 * END), abs=1e-12
    )


@pytest.mark.parametrize("dt", [2.0, 0.5, 0.0625])
def test_a_chain_of_equal_time_constants_is_exact_though_its_matrix_has_no_eigenvectors(
    backend, dt
):
    cell = ns.Cell(
        "dx/dt = (y - x) / tau : 1; dy/dt = (z - y) / tau : 1; dz/dt = -z / tau : 1",
        parameters={"tau": "1.5 ms"},
    )
    s = END / 1.5
    assert final(cell, {"z": 1.0}, dt, backend) == pytest.approx(s**2 / 2 * math.exp(-s), rel=1e-12)


@pytest.mark.parametrize("dt", [2.0, 0.5, 0.0625])
def test_a_pure_integrator_with_constant_input_is_exact(backend, dt):
    """Its matrix is zero, so that no inverse of it exists."""
    cell = ns.Cell("dx/dt = drift : mV", parameters={"drift": "0.3 mV/ms"})
    assert final(cell, {"x": 1.0}, dt, backend) == pytest.approx(1 + 0.3 * END, rel=1e-14)


def test_exponential_euler_is_exact_where_its_coefficients_stand_still(backend):
    cell = ns.Cell(
        "dx/dt = (end - x) / tau : mV",
        parameters={"end": "2 mV", "tau": "3 ms"},
        method="exponential_euler",
    )
    assert final(cell, {"x": 0.0}, 2.0, backend) == pytest.approx(
        2 * (1 - math.exp(-END / 3)), rel=1e-14
    )


def test_all_states_step_together_from_the_old_values(backend):
    """Euler by hand; were y to see the new x, it would be 0.5 after the first step, not 0."""
    cell = ns.Cell("dx/dt = y / ms + 1 / ms : 1; dy/dt = x / ms : 1", method="euler")
    net = ns.Network("test", dt=0.5)
    neuron = net.population("neuron", 1, cell)
    net.record(neuron, "x", "y")
    recorded = ns.simulate(net, 1.5, backend=backend)["neuron"]
    assert list(recorded.trace("x").values[:, 0]) == [0.5, 1.0, 1.625]
    assert list(recorded.trace("y").values[:, 0]) == [0.0, 0.25, 0.75]


def test_each_neuron_has_the_propagator_of_its_own_time_constants(backend):
    tau = np.array([1.0, 2.0, 3.0])
    net = ns.Network("test", dt=0.5)
    cell = ns.Cell("dx/dt = (y - x) / tau : 1; dy/dt = -y / 5 / ms : 1", parameters={"tau": "1 ms"})
    neurons = net.population("neurons", 3, cell, tau=tau, y=1.0)
    net.record(neurons, "x", every=END)
    expected = 5 / (5 - tau) * (np.exp(-END / 5) - np.exp(-END / tau))
    assert ns.simulate(net, END, backend=backend)["neurons"].trace("x").values[0] == pytest.approx(
        expected, rel=1e-13
    )


def test_the_input_of_one_state_reaches_another_within_the_same_step(backend):
    """y follows a constant input, and x follows y: one step of any length gives the solution."""
    cell = ns.Cell(
        "dx/dt = (y - x) / tau : 1; dy/dt = (level - y) / slow : 1",
        parameters={"tau": "2 ms", "slow": "5 ms", "level": 3.0},
        method="exact",
    )
    net = ns.Network("test", dt=END)
    neuron = net.population("neuron", 1, cell)
    net.record(neuron, "x", "y")
    recorded = ns.simulate(net, END, backend=backend)["neuron"]
    fast, slow = math.exp(-END / 2), math.exp(-END / 5)
    assert recorded.trace("y").values[0, 0] == pytest.approx(3 * (1 - slow), rel=1e-13)
    expected = 3 * (1 - (5 * slow - 2 * fast) / (5 - 2))
    assert recorded.trace("x").values[0, 0] == pytest.approx(expected, rel=1e-13)


def test_an_input_that_changes_from_row_to_row_of_a_table_is_integrated_exactly(backend):
    net = ns.Network("test", dt=0.5)
    cell = ns.Cell("dx/dt = (drive - x) / tau : 1", parameters={"drive": 0.0, "tau": "3 ms"})
    neuron = net.population("neuron", 1, cell, drive=ns.table([2.0, -1.0], every=1.5))
    net.record(neuron, "x")
    trace = ns.simulate(net, 4, backend=backend)["neuron"].trace("x")
    time = trace.times()
    first = 2 * (1 - np.exp(-np.minimum(time, 1.5) / 3))
    expected = np.where(time <= 1.5, first, -1 + (first + 1) * np.exp(-(time - 1.5) / 3))
    assert trace.values[:, 0] == pytest.approx(expected, rel=1e-13)


def test_the_propagator_follows_a_change_of_its_parameters_during_a_run(backend):
    net = ns.Network("test", dt=0.5)
    neuron = net.population("neuron", 1, cells.leaky_readout(tau=2.0), v=1.0)
    net.record(neuron, "v")
    run = ns.prepare(net, backend=backend)
    run.run(2)
    run.set(neuron, tau=8.0)
    run.run(2)
    assert run.result()["neuron"].trace("v").values[[3, 7], 0] == pytest.approx(
        [math.exp(-1), math.exp(-1.25)], rel=1e-14
    )


@pytest.mark.parametrize(
    ("equations", "expected"),
    [
        ("dx/dt = -x / tau : 1", {"x": "exact"}),
        ("dx/dt = -x / tau + level / tau : 1", {"x": "exact"}),
        ("dx/dt = (y - x) / tau : 1; dy/dt = -y / tau : 1", {"x": "exact", "y": "exact"}),
        ("dx/dt = -x / tau + level * sin(t / tau) / tau : 1", {"x": "exact"}),
        (
            "dx/dt = -x * y / tau : 1; dy/dt = -y / tau : 1",
            {"x": "midpoint", "y": "exact"},
        ),
        (
            "dx/dt = (y - x) / tau : 1; dy/dt = (1 - y**2) / tau : 1",
            {"x": "midpoint", "y": "midpoint"},
        ),
        ("dx/dt = -x / tau + xi / tau**0.5 : 1", {"x": "euler"}),
        (
            "dx/dt = -x / tau + xi / tau**0.5 : 1; dy/dt = (x - y) / tau : 1",
            {"x": "euler", "y": "exponential_euler"},
        ),
        ("dx/dt = (1 - x**2) / tau : 1", {"x": "midpoint"}),
    ],
)
def test_a_state_gets_the_most_exact_method_that_can_take_it(equations, expected):
    cell = ns.Cell(equations, parameters={"tau": "10 ms", "level": 2.0})
    assert dict(cell_program(cell).methods) == expected


def test_the_report_says_which_method_each_state_gets(backend):
    net = ns.Network("test", dt=0.1)
    net.population("neuron", 1, cells.lif_conductance())
    (row,) = ns.check(net, backend=backend).rows
    assert (row.status, row.reason) == (
        "exact",
        "v: midpoint (second order); excitatory: exact; inhibitory: exact.",
    )


def test_a_coefficient_that_is_drawn_is_not_constant_and_its_state_runs_without_the_exact_method(
    backend,
):
    """The same draw is made once per step, so each step takes x to x * exp(-u dt / tau) with u
    between 0 and 1.
    """
    cell = ns.Cell("dx/dt = -uniform() * x / tau : 1", parameters={"tau": "10 ms"})
    assert dict(cell_program(cell).methods) == {"x": "midpoint"}
    net = ns.Network("drawn", dt="1 ms", seed=3)
    net.record(net.population("neuron", 1, cell, x=1.0), "x")
    trace = (
        ns.simulate(net, "50 ms", backend=backend, progress=False)["neuron"].trace("x").values[:, 0]
    )
    shares = -np.log(trace / np.append(1.0, trace[:-1])) * 10
    assert ((shares > 0) & (shares < 1)).all() and shares.std() > 0.2


REFUSED = [
    (
        "exact",
        "dx/dt = -uniform() * x / tau : 1",
        "method 'exact' cannot take it, because it is not linear with constant coefficients",
    ),
    (
        "exact",
        "dx/dt = (1 - x**2) / tau : 1",
        "method 'exact' cannot take it, because it is not linear with constant coefficients",
    ),
    (
        "exact",
        "dx/dt = -x / tau + xi / tau**0.5 : 1",
        "method 'exact' cannot take it, because it contains noise",
    ),
    (
        "exponential_euler",
        "dx/dt = (1 - x**2) / tau : 1",
        "method 'exponential_euler' cannot take it, because it is not linear in x",
    ),
    (
        "heun",
        "dx/dt = -x / tau + xi / tau**0.5 : 1",
        "method 'heun' cannot take it, because it contains noise",
    ),
    (
        "rk4",
        "dx/dt = -x / tau + xi / tau**0.5 : 1",
        "method 'rk4' cannot take it, because it contains noise",
    ),
    (
        None,
        "dx/dt = -x / tau + xi**2 : 1",
        "xi appears other than as 'expression \\* xi'. Write noise as an added term",
    ),
    (
        "euler",
        "dx/dt = -x / tau + xi**2 : 1",
        "xi appears other than as 'expression \\* xi'. Write noise as an added term",
    ),
]


@pytest.mark.parametrize(("method", "equations", "message"), REFUSED)
def test_a_method_that_cannot_take_an_equation_is_refused_where_the_cell_is_written(
    method, equations, message
):
    with pytest.raises(ns.ModelError, match=rf"cell 'cell', equation of x: {message}"):
        ns.Cell(equations, parameters={"tau": "10 ms"}, method=method)


def test_a_table_that_takes_the_constant_from_an_exact_method_is_refused_in_the_report(backend):
    net = ns.Network("test", dt=0.1)
    cell = ns.Cell("dx/dt = -x / tau : 1", parameters={"tau": "10 ms"}, method="exact")
    net.population("neuron", 1, cell, tau=ns.table([10.0, 20.0], every="1 ms"))
    assert [row.status for row in ns.check(net, backend=backend).rows] == ["impossible"]
    with pytest.raises(
        ns.LoweringError,
        match="population 'neuron': cell 'cell', equation of x: method 'exact' cannot take it",
    ):
        ns.prepare(net, backend=backend)


def test_an_unknown_method_is_answered_with_the_methods():
    with pytest.raises(
        ns.ModelError,
        match=(
            "cell 'cell': there is no method 'rk5'. Did you mean 'rk4'.* euler, exact, .*heun, "
            "midpoint, milstein, rk4"
        ),
    ):
        ns.Cell("dx/dt = -x / (1 * ms) : 1", method="rk5")


def test_a_method_beside_step_statements_is_refused():
    with pytest.raises(ns.ModelError, match="cell 'cell': has both 'step' and a method"):
        ns.Cell("x : 1", step="x = 0.5 * x", method="euler")


def test_choose_names_the_cell_in_its_refusal():
    from neurosim.expr.parse import Parser

    derivative = Parser("cell 'a'").expression("1 - x**2", part="x")
    with pytest.raises(
        ns.ModelError, match="cell 'a', equation of x: method 'exact' cannot take it"
    ):
        choose({"x": derivative}, "exact", set(), where="cell 'a'")


def test_states_whose_joined_names_are_alike_keep_propagators_of_their_own(backend):
    """a with b_c and a_b with c: each pair decays into the other as the two-exponential closed form
    says.
    """
    cell = ns.Cell(
        """da/dt = (b_c - a) / (3 * ms) : 1; da_b/dt = (c - a_b) / (7 * ms) : 1
                      db_c/dt = -b_c / (2 * ms) : 1; dc/dt = -c / (11 * ms) : 1""",
        initial={"b_c": 1.0, "c": 1.0},
    )
    net = ns.Network("alike", dt="0.5 ms")
    net.record(net.population("x", 1, cell), "a", "a_b")
    last = {
        name: trace.values[-1, 0]
        for name, trace in ns.simulate(net, "10 ms", backend=backend)["x"].traces.items()
    }
    for name, tau, driven_by in (("a", 3.0, 2.0), ("a_b", 7.0, 11.0)):
        expected = driven_by / (driven_by - tau) * (np.exp(-10 / driven_by) - np.exp(-10 / tau))
        assert last[name] == pytest.approx(expected, rel=1e-12)


def test_a_time_constant_set_again_after_a_restore_takes_effect(backend):
    net = ns.Network("again", dt="1 ms")
    cell = ns.Cell(
        "dx/dt = (y - x) / tau : 1; dy/dt = -y / tau : 1",
        parameters={"tau": "10 ms"},
        initial={"x": 1.0},
    )
    x = net.population("x", 1, cell)
    run, fresh = (ns.prepare(net, backend=backend) for _ in range(2))
    snapshot = run.snapshot()
    run.set(x, tau="20 ms")
    run.restore(snapshot)
    for prepared in (run, fresh):
        prepared.set(x, tau="20 ms")
        prepared.run("5 ms")
    assert run.get(x, "x") == fresh.get(x, "x") == pytest.approx(np.exp(-0.25), rel=1e-12)
