"""The library of cells: arguments in any form, units, ports, and the published program of
Izhikevich 2003.
"""

import inspect

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

FAMILY = {
    "lif": cells.lif,
    "lif_delta": cells.lif_delta,
    "lif_exponential": cells.lif_exponential,
    "lif_conductance": cells.lif_conductance,
    "lif_alpha": cells.lif_alpha,
    "lif_conductance_alpha": cells.lif_conductance_alpha,
    "adex_exponential": cells.adex_exponential,
    "adex_conductance": cells.adex_conductance,
    "izhikevich_2007": cells.izhikevich_2007,
    "hodgkin_huxley": cells.hodgkin_huxley,
    "leaky_readout": cells.leaky_readout,
    "izhikevich-delta": lambda **parameters: cells.izhikevich(synapse="delta", **parameters),
    "izhikevich-exponential": lambda **parameters: cells.izhikevich(
        synapse="exponential", **parameters
    ),
}
CURRENTS = {"excitatory": "nA", "inhibitory": "nA"}
CONDUCTANCES = {"excitatory": "uS", "inhibitory": "uS"}
PORTS = {
    "lif": {"synaptic": "nA"},
    "lif_delta": {"synaptic": "mV"},
    "lif_exponential": CURRENTS,
    "lif_conductance": CONDUCTANCES,
    "leaky_readout": {"synaptic": "1"},
    "lif_alpha": CURRENTS,
    "lif_conductance_alpha": CONDUCTANCES,
    "adex_exponential": CURRENTS,
    "adex_conductance": CONDUCTANCES,
    "izhikevich_2007": {"synaptic": "nA"},
    "hodgkin_huxley": CONDUCTANCES,
    "izhikevich-delta": {"synaptic": "mV", "injected": "mV/ms"},
    "izhikevich-exponential": {"synaptic": "mV/ms", "injected": "mV/ms"},
}


def simulate(
    cell: ns.Cell,
    backend: str,
    *,
    size: int = 1,
    time: float = 100,
    dt: float = 0.5,
    record: tuple[str, ...] = ("v",),
    **values,
):
    net = ns.Network("test", dt=dt, seed=2)
    net.record(net.population("cell", size, cell, **values), *record)
    return ns.simulate(net, time, backend=backend, progress=False)["cell"]


@pytest.mark.parametrize("name", FAMILY)
def test_every_cell_runs_with_its_defaults_and_has_the_ports_that_its_family_promises(
    backend, name
):
    cell = FAMILY[name]()
    assert {key: port.unit for key, port in cell.receives} == PORTS[name]
    assert cell.name == name.split("-")[0]
    assert np.isfinite(simulate(cell, backend).trace("v").values).all()


def test_every_cell_names_its_source():
    functions = [
        f
        for name, f in inspect.getmembers(cells, inspect.isfunction)
        if f.__annotations__.get("return") == "Cell" and name[0] != "_"
    ]
    assert {f.__name__ for f in functions} == {name.split("-")[0] for name in FAMILY}
    assert all("Source: " in f.__doc__ for f in functions)


@pytest.mark.parametrize("name", FAMILY)
def test_a_plain_number_is_read_in_the_unit_of_the_default(name):
    """For each argument, its default and the bare number of the default give the same parameter."""
    function = cells.izhikevich if name.startswith("izhikevich-") else FAMILY[name]
    defaults = {
        key: argument.default for key, argument in inspect.signature(function).parameters.items()
    }
    present = {p.name for p in FAMILY[name]().parameters} - {"reset"}  # its default is that of rest
    assert present
    for key in present:
        number = float(defaults[key].split()[0])
        assert FAMILY[name](**{key: number}).parameter(key) == FAMILY[name]().parameter(key)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cells.lif(tau="20 mV"),
            r"cell 'lif', parameter 'tau': '20 mV' is a voltage \(mV\), but a time \(ms\) is "
            r"expected",
        ),
        (
            lambda: cells.lif_exponential(capacity="250 pS"),
            r"'lif_exponential', parameter 'capacity': '250 pS' is a conductance",
        ),
        (
            lambda: cells.lif_conductance(reversal_exc="0"),
            r"'lif_conductance', parameter 'reversal_exc': '0' has no unit",
        ),
        (
            lambda: cells.izhikevich(synapse="delta", d="8 mV"),
            r"cell 'izhikevich', parameter 'd': '8 mV' is a voltage \(mV\), but .* mV/ms",
        ),
        (
            lambda: cells.adex_exponential(a="4 nA"),
            r"cell 'adex_exponential', parameter 'a': "
            r"'4 nA' is a current \(nA\), but a conductance",
        ),
        (
            lambda: cells.izhikevich_2007(k="0.7 pA"),
            r"'izhikevich_2007', parameter 'k': '0.7 pA' is a current \(pA\), but a quantity in "
            r"uS/mV",
        ),
        (
            lambda: cells.hodgkin_huxley(method="exact"),
            r"'hodgkin_huxley', equation of v: method 'exact' cannot take it",
        ),
        (
            lambda: cells.adex_conductance(method="rk5"),
            r"cell 'adex_conductance': there is no method 'rk5'",
        ),
        (
            lambda: cells.izhikevich(synapse="alpha"),
            r"cell 'izhikevich': there is no synapse 'alpha'.* delta, exponential. "
            r"Name one of them",
        ),
    ],
)
def test_a_wrong_unit_or_name_is_refused_where_the_cell_is_made(make, message):
    with pytest.raises(ns.ModelError, match=message):
        make()


@pytest.mark.parametrize(
    "name",
    [
        "lif",
        "lif_delta",
        "lif_exponential",
        "lif_conductance",
        "lif_alpha",
        "lif_conductance_alpha",
        "adex_exponential",
        "adex_conductance",
    ],
)
def test_a_neuron_begins_at_rest_and_returns_there_after_a_spike_unless_told_otherwise(
    backend, name
):
    recording = simulate(FAMILY[name](rest=-61, current=5), backend, record=("v", "spikes"))
    assert (
        recording.trace("v").initial[0],
        recording.trace("v").values[recording.spikes.step[0], 0],
    ) == (
        -61,
        -61,
    )
    recording = simulate(
        FAMILY[name](rest=-61, reset=-57, current=5), backend, record=("v", "spikes"), v=-60.0
    )
    assert (
        recording.trace("v").initial[0],
        recording.trace("v").values[recording.spikes.step[0], 0],
    ) == (
        -60,
        -57,
    )


def test_parameters_may_differ_between_neurons_and_change_over_time(backend):
    current = ns.table([0.0, 2.0, 0.0], every=20)
    spikes = simulate(
        cells.lif(current=current),
        backend,
        size=3,
        record=("spikes",),
        rest=np.array([-55.0, -75.0, -110.0]),
    ).spikes
    counts = spikes.count()
    assert counts[0] > counts[1] > counts[2] > 0
    assert set(spikes.step // 40) == {1}


# ---- alpha synapses


def alpha(time: np.ndarray, tau: float) -> np.ndarray:
    """Return the alpha function of height 1, which it has at ``tau``."""
    return np.where(time >= 0, time / tau * np.exp(1 - time / tau), 0.0)


def answer(
    cell: ns.Cell, backend: str, *, dt: float, time: float, **weights: float
) -> tuple[ns.Recording, np.ndarray]:
    """Return traces, and times since the arrival of one spike at each of the named ports."""
    net = ns.Network("test", dt=dt)
    neuron = net.population("neuron", 1, cell)
    source = net.spike_source("source", 1, steps=[[1]])
    for port, weight in weights.items():
        net.project(source, neuron, ns.one_to_one(), weight=weight, port=port, name=port)
    net.record(neuron, "v", "alpha_exc", "alpha_inh")
    recording = ns.simulate(net, time, backend=backend)["neuron"]
    return recording, recording.trace("v").times() - 2 * dt


@pytest.mark.parametrize("dt", [0.5, 0.0625])
@pytest.mark.parametrize("make", [cells.lif_alpha, cells.lif_conductance_alpha])
def test_an_alpha_synapse_has_its_weight_as_its_peak_one_time_constant_after_the_spike(
    backend, make, dt
):
    """Linear, hence exact at any step; the time constants are whole steps, so that both peaks fall
    on one.
    """
    recording, time = answer(
        make(tau_exc=2.5, tau_inh=4), backend, dt=dt, time=30, excitatory=0.003, inhibitory=0.002
    )
    for name, weight, tau in (("alpha_exc", 0.003, 2.5), ("alpha_inh", 0.002, 4)):
        values = recording.trace(name).values[:, 0]
        assert values == pytest.approx(weight * alpha(time, tau), rel=1e-12, abs=1e-17)
        assert time[np.argmax(values)] == tau
        assert values.max() == pytest.approx(weight, rel=1e-12)


@pytest.mark.parametrize("dt", [0.5, 0.0625])
@pytest.mark.parametrize("tau", [10.0, 2.5])
def test_the_potential_of_an_alpha_current_follows_its_closed_form(backend, tau, dt):
    """C dv/dt = -C v / tau + alpha(t), from v = 0; equal time constants give its limit t**2 exp(-t
    / tau) / 2.
    """
    recording, time = answer(
        cells.lif_alpha(tau=tau, tau_exc=2.5, capacity=0.25, rest=-65),
        backend,
        dt=dt,
        time=60,
        excitatory=0.2,
    )
    rate = 1 / 2.5 - 1 / tau
    integral = (1 - np.exp(-rate * time) * (1 + rate * time)) / rate**2 if rate else time**2 / 2
    expected = np.where(time >= 0, 0.2 / 0.25 * np.e / 2.5 * np.exp(-time / tau) * integral, 0.0)
    assert recording.trace("v").values[:, 0] + 65 == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_an_inhibitory_alpha_current_is_subtracted(backend):
    parts = [
        answer(cells.lif_alpha(), backend, dt=0.5, time=20, **weights)[0].trace("v").values + 70
        for weights in (
            {"excitatory": 0.2},
            {"inhibitory": 0.1},
            {"excitatory": 0.2, "inhibitory": 0.1},
        )
    ]
    assert parts[1].min() < 0
    assert parts[2] == pytest.approx(parts[0] + parts[1], abs=1e-12)


def test_alpha_conductances_drive_the_voltage_towards_their_reversal_to_second_order(backend):
    """A linear equation with known coefficients, solved by SciPy; the midpoint method takes
    a quarter of its error at half a step.
    """
    from scipy.integrate import solve_ivp

    def slope(t, v):
        exc, inh = (weight * alpha(np.array(t), tau) for weight, tau in ((0.01, 2.0), (0.02, 5.0)))
        return (-70 - v) / 15 + (exc * (0 - v) + inh * (-85 - v)) / 0.25

    cell = cells.lif_conductance_alpha(tau_exc=2, tau_inh=5)
    errors = []
    for dt in (0.125, 0.0625, 0.03125):
        recording, time = answer(cell, backend, dt=dt, time=20, excitatory=0.01, inhibitory=0.02)
        expected = solve_ivp(
            slope, (0, 20), [-70.0], rtol=1e-10, atol=1e-10, dense_output=True
        ).sol(np.maximum(time, 0))[0]
        errors.append(np.abs(recording.trace("v").values[:, 0] - expected).max())
    assert np.ptp(expected) > 2
    assert errors[-1] < 0.03
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(2, abs=0.1)


# ---- Izhikevich


def published(
    current: np.ndarray, *, dt: float = 1.0, a=0.02, b=0.2, c=-65, d=8, jumps=None
) -> tuple[list[int], np.ndarray]:
    """Return steps of spikes and voltages as the loop of Izhikevich 2003 gives them, each half-step
    clipped at 30 mV.
    """
    v, u, spikes, trace = -65.0, b * -65.0, [], []
    for k, drive in enumerate(current):
        v += (jumps or {}).get(k, 0.0)
        for _ in range(2):
            v = min(v + dt / 2 * (0.04 * (v * v) + 5 * v + 140 - u + drive), 30.0)
        u = u + dt * a * (b * v - u)
        if v >= 30:
            spikes.append(k)
            v, u = c, u + d
        trace.append(v)
    return spikes, np.array(trace)


@pytest.mark.parametrize("dt", [1.0, 0.5])
@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [(0.02, 0.2, -65, 8), (0.02, 0.2, -50, 2), (0.1, 0.2, -65, 2), (0.02, 0.25, -65, 2)],
)
def test_the_neuron_does_what_the_published_half_steps_do(backend, dt, a, b, c, d):
    """Regular spiking, chattering, fast spiking and low-threshold spiking cells of Izhikevich 2003,
    Fig. 2.
    """
    cell = cells.izhikevich(synapse="delta", a=a, b=b, c=c, d=d, current=10)
    recording = simulate(cell, backend, dt=dt, time=300, record=("v", "spikes"))
    spikes, trace = published(np.full(round(300 / dt), 10.0), dt=dt, a=a, b=b, c=c, d=d)
    assert len(spikes) > 5
    assert list(recording.spikes.step) == spikes
    assert recording.trace("v").values[:, 0] == pytest.approx(trace, abs=1e-8)


def test_a_delta_synapse_steps_the_voltage_before_the_half_steps(backend):
    net = ns.Network("test", dt=1.0)
    neuron = net.population("neuron", 1, cells.izhikevich(synapse="delta"))
    net.project(
        net.spike_source("source", 1, steps=[[4, 30]]),
        neuron,
        ns.one_to_one(),
        weight="12 mV",
        port="synaptic",
    )
    net.record(neuron, "v")
    voltage = ns.simulate(net, 60, backend=backend)["neuron"].trace("v").values[:, 0]
    assert voltage == pytest.approx(published(np.zeros(60), jumps={5: 12.0, 31: 12.0})[1], abs=1e-9)


def test_an_exponential_synapse_and_an_injected_input_add_to_the_current(backend):
    """The weight arrives whole in the step after the spike and decays from then on; injected input
    lasts for that step alone.
    """
    net = ns.Network("test", dt=1.0)
    neuron = net.population(
        "neuron", 1, cells.izhikevich(synapse="exponential", tau_syn=20, current=1)
    )
    source = net.spike_source("source", 2, steps=[[4], [9]])
    net.project(source[:1], neuron, ns.one_to_one(), weight="6 mV/ms", port="synaptic")
    net.project(source[1:], neuron, ns.one_to_one(), weight="9 mV/ms", port="injected")
    net.record(neuron, "v")
    voltage = ns.simulate(net, 80, backend=backend)["neuron"].trace("v").values[:, 0]
    steps = np.arange(80)
    current = 1 + np.where(steps >= 5, 6 * np.exp(-(steps - 5) / 20), 0) + 9 * (steps == 10)
    assert voltage == pytest.approx(published(current)[1], abs=1e-8)


def test_noise_has_its_standard_deviation_and_is_the_same_in_both_half_steps(backend):
    """4000 neurons, one step from the same state: independent draws in the half-steps would give a
    standard deviation of about 0.71.
    """
    voltage = (
        simulate(
            cells.izhikevich(synapse="delta", noise=0.5),
            backend,
            size=4000,
            time=1,
            dt=1,
            record=("v", "u"),
        )
        .trace("v")
        .values[0]
    )
    at = np.linspace(-4, 4, 2001)
    curve = np.array([published(np.array([0.5 * x]))[1][0] for x in at])
    # v' grows with the noise, so the draws can be read from it
    noise = np.interp(voltage, curve, at)
    assert noise.mean() == pytest.approx(0, abs=4 / np.sqrt(4000))
    assert noise.std() == pytest.approx(1, rel=4 / np.sqrt(8000))


def test_without_noise_no_random_number_is_drawn():
    from neurosim.ir.discretise import cell_program

    assert cell_program(cells.izhikevich(synapse="delta")).draws == ()
    assert len(cell_program(cells.izhikevich(synapse="delta", noise="0.1 mV/ms")).draws) == 1


def test_types_may_be_mixed_by_expressions_over_one_draw(backend):
    """Izhikevich 2003: c = -65 + 15 r**2 and d = 8 - 6 r**2 with the same r."""
    net = ns.Network("test", dt=1.0, seed=3)
    cell = cells.izhikevich(synapse="exponential")
    neurons = net.population(
        "neurons", 500, cell, rho=ns.uniform(0, 1), c="-65 + 15 * rho**2", d="8 - 6 * rho**2"
    )
    run = ns.prepare(net, backend=backend)
    c, d = run.get(neurons, "c"), run.get(neurons, "d")
    assert (c + 65) / 15 == pytest.approx((8 - d) / 6, abs=1e-12)
    assert (np.sqrt((c + 65) / 15)).mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 500))
