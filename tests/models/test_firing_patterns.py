"""The twenty firing patterns of Izhikevich 2004: each is recognised by a rule that refuses all the
others.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import firing_patterns
from neurosim.models.firing_patterns import (
    INTEGRATOR,
    PATTERNS,
    PEAK,
    QUADRATIC,
    RECOVERY,
    Pattern,
    Response,
    respond,
)

pytestmark = pytest.mark.experiment

# ms: longer intervals separate bursts; within them the article's figure has intervals of 2 to 10 ms
BURST = 12.0
INF = float("inf")
OF = {pattern.letter: pattern for pattern in PATTERNS}


def events(r: Response) -> list[np.ndarray]:
    """Return the steps of each stretch in which the input differs from that at the beginning."""
    changed = np.flatnonzero(r.current != r.current[0])
    return np.split(changed, np.flatnonzero(np.diff(changed) > 1) + 1)


def bursts(r: Response) -> list[np.ndarray]:
    return [b for b in np.split(r.spikes, np.flatnonzero(np.diff(r.spikes) > BURST) + 1) if b.size]


def sizes(r: Response) -> list[int]:
    return [len(burst) for burst in bursts(r)]


def raised(r: Response) -> bool:
    """The input rises once, for the whole rest of the time, and all spikes come later."""
    input_events = events(r)
    lasting = (
        len(input_events) == 1
        and input_events[0][-1] == len(r.time) - 1
        and r.current[-1] > r.current[0]
    )
    return lasting and bool((r.spikes > r.time[input_events[0][0]]).all())


def held(r: Response) -> bool:
    return raised(r) and np.ptp(r.current[events(r)[0]]) == 0


def ramp(r: Response) -> bool:
    return raised(r) and bool((np.diff(r.current[events(r)[0]]) > 0).all())


def pulse_heights(r: Response) -> list[float]:
    """Heights of pulses; none where an input is no pulse."""
    pulses = events(r)
    if any(np.ptp(r.current[steps]) > 0 or steps[-1] == len(r.time) - 1 for steps in pulses):
        return []
    return [float(np.sign(r.current[steps[0]] - r.current[0])) for steps in pulses]


def pulse_starts(r: Response) -> np.ndarray:
    return np.array([r.time[steps[0]] for steps in events(r)])


def pulse_ends(r: Response) -> np.ndarray:
    return np.array([r.time[steps[-1]] for steps in events(r)])


def goes_on(r: Response) -> bool:
    """The neuron still fires at the end: no longer pause than the last interval."""
    return len(r.spikes) > 1 and r.time[-1] - r.spikes[-1] < r.spikes[-1] - r.spikes[-2]


def steady(r: Response) -> bool:
    """The last two intervals are equal within 5 %."""
    last = np.diff(r.spikes)[-2:]
    return len(last) == 2 and abs(last[0] - last[1]) < 0.05 * last[1]


def maxima(values: np.ndarray) -> np.ndarray:
    """Return the places of local maxima."""
    return np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])) + 1


def after_spike(r: Response) -> np.ndarray:
    """Return the voltages after the last spike."""
    return r.v[np.flatnonzero(r.v == PEAK)[-1] + 1 :]


def tonic_spiking(r: Response) -> bool:
    """A raised input is answered by single spikes for ever, after at most two in succession."""
    return (
        held(r)
        and len(r.spikes) >= 4
        and sizes(r)[0] <= 2
        and set(sizes(r)[1:]) == {1}
        and steady(r)
        and goes_on(r)
    )


def phasic_spiking(r: Response) -> bool:
    """A raised input is answered by one spike."""
    return held(r) and len(r.spikes) == 1


def tonic_bursting(r: Response) -> bool:
    """A raised input is answered by bursts for ever."""
    return held(r) and len(sizes(r)) >= 3 and min(sizes(r)) >= 3


def phasic_bursting(r: Response) -> bool:
    """A raised input is answered by one burst."""
    return held(r) and len(sizes(r)) == 1 and sizes(r)[0] >= 3 and not goes_on(r)


def mixed_mode(r: Response) -> bool:
    """A raised input is answered by a burst and then by regular single spikes."""
    return (
        held(r)
        and len(sizes(r)) >= 3
        and sizes(r)[0] >= 3
        and set(sizes(r)[1:]) == {1}
        and steady(r)
        and goes_on(r)
    )


def adaptation(r: Response) -> bool:
    """A raised input is answered by intervals that grow, each by a tenth at least, without coming
    to an end.
    """
    intervals = np.diff(r.spikes)
    return (
        held(r)
        and len(intervals) >= 4
        and bool((intervals[1:] > 1.1 * intervals[:-1]).all())
        and goes_on(r)
    )


def class_1(r: Response) -> bool:
    """A slowly growing input is answered by a rate that begins below 0.4 of its last."""
    intervals = np.diff(r.spikes)
    return (
        ramp(r)
        and len(intervals) >= 5
        and bool((np.diff(intervals) < 0).all())
        and intervals[-1] < 0.4 * intervals[0]
    )


def class_2(r: Response) -> bool:
    """A slowly growing input is answered by a rate that begins above half of its last."""
    intervals = np.diff(r.spikes)
    return ramp(r) and len(intervals) >= 5 and intervals[-1] > 0.5 * intervals[0]


def latency(r: Response) -> bool:
    """A short pulse is answered by one spike more than 10 ms after its end."""
    return pulse_heights(r) == [1] and len(r.spikes) == 1 and r.spikes[0] > pulse_ends(r)[0] + 10


def oscillations(r: Response) -> bool:
    """After a spike the voltage swings more than once, each time less, by more than 0.05 mV."""
    if pulse_heights(r) != [1] or len(r.spikes) != 1:
        return False
    v = after_spike(r)
    swings = v[maxima(v)] - v[-1]
    return len(swings) >= 2 and swings[1] > 0.05 and bool((np.diff(swings) < 0).all())


def answers_one_pair(r: Response, *, closer: bool) -> bool:
    """Of two pairs of equal pulses only the closer (or the wider) one is answered, by one spike
    after its second pulse.
    """
    if pulse_heights(r) != [1, 1, 1, 1] or len(r.spikes) != 1:
        return False
    starts = pulse_starts(r)
    first_is_closer = starts[1] - starts[0] < starts[3] - starts[2]
    begin, end = (starts[1], starts[2]) if first_is_closer == closer else (starts[3], np.inf)
    return bool(begin < r.spikes[0] < end)


def resonator(r: Response) -> bool:
    return answers_one_pair(r, closer=False)


def integrator(r: Response) -> bool:
    return answers_one_pair(r, closer=True)


def rebound_spike(r: Response) -> bool:
    """The end of an inhibition is answered by one spike."""
    return pulse_heights(r) == [-1] and len(r.spikes) == 1 and r.spikes[0] > pulse_ends(r)[0]


def rebound_burst(r: Response) -> bool:
    """The end of an inhibition is answered by one burst."""
    return (
        pulse_heights(r) == [-1]
        and len(sizes(r)) == 1
        and sizes(r)[0] >= 3
        and r.spikes[0] > pulse_ends(r)[0]
    )


def threshold_variability(r: Response) -> bool:
    """Of two equal pulses only the one after an inhibition is answered."""
    return (
        pulse_heights(r) == [1, -1, 1] and len(r.spikes) == 1 and r.spikes[0] > pulse_starts(r)[2]
    )


def bistability(r: Response) -> bool:
    """One pulse begins a regular train, the next, equal one ends it."""
    if pulse_heights(r) != [1, 1] or len(r.spikes) < 4:
        return False
    start, stop = pulse_starts(r)
    return (
        bool(start < r.spikes[0] < start + 20 and r.spikes[-1] < stop)
        and steady(r)
        and not goes_on(r)
    )


def depolarized_after_spike(r: Response) -> bool:
    """After a spike the voltage does not fall below rest but rises once more, by at least 5 mV."""
    if pulse_heights(r) != [1] or len(r.spikes) != 1:
        return False
    v = after_spike(r)
    return v.min() > r.v[0] - 0.1 and v.max() > max(v[0], r.v[0]) + 5


def accommodation(r: Response) -> bool:
    """A slow ramp is not answered, a fast one is, though it ends lower."""
    ramps = events(r)
    if len(ramps) != 2 or any(
        (np.diff(r.current[steps]) <= 0).any() or len(steps) < 3 for steps in ramps
    ):
        return False
    slow, fast = ramps
    lower = r.current[fast].max() < r.current[slow].max()
    return (
        lower
        and len(slow) > 10 * len(fast)
        and len(r.spikes) > 0
        and bool((r.spikes > r.time[fast[0]]).all())
    )


def inhibited(r: Response) -> bool:
    """All spikes fall into an inhibition."""
    return (
        pulse_heights(r) == [-1]
        and len(r.spikes) > 0
        and bool(pulse_starts(r)[0] < r.spikes[0] and r.spikes[-1] < pulse_ends(r)[0])
    )


def inhibition_induced_spiking(r: Response) -> bool:
    return inhibited(r) and len(sizes(r)) >= 2 and set(sizes(r)) == {1}


def inhibition_induced_bursting(r: Response) -> bool:
    return inhibited(r) and len(sizes(r)) >= 2 and min(sizes(r)) >= 3


RULES: dict[str, Callable[[Response], bool]] = {
    "A": tonic_spiking,
    "B": phasic_spiking,
    "C": tonic_bursting,
    "D": phasic_bursting,
    "E": mixed_mode,
    "F": adaptation,
    "G": class_1,
    "H": class_2,
    "I": latency,
    "J": oscillations,
    "K": resonator,
    "L": integrator,
    "M": rebound_spike,
    "N": rebound_burst,
    "O": threshold_variability,
    "P": bistability,
    "Q": depolarized_after_spike,
    "R": accommodation,
    "S": inhibition_induced_spiking,
    "T": inhibition_induced_bursting,
}
# The same input given to another pattern's neuron, whose answer the rule must refuse: no rule rests
# on the input alone.
OTHERS = {
    "A": "B",
    "B": "A",
    "C": "E",
    "D": "B",
    "E": "A",
    "F": "E",
    "G": "H",
    "H": "G",
    "I": "L",
    "J": "I",
    "K": "L",
    "L": "K",
    "M": "N",
    "N": "M",
    "O": "L",
    "P": "B",
    "Q": "A",
    "R": "A",
    "S": "T",
    "T": "S",
}


@pytest.fixture(scope="module")
def responses(backend: str) -> dict[str, Response]:
    return {pattern.letter: respond(pattern, backend=backend) for pattern in PATTERNS}


def published(pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Return times of spikes and voltages as the loop of figure1.m gives them."""
    square = {
        QUADRATIC: lambda v: 0.04 * (v * v) + 5 * v + 140,
        INTEGRATOR: lambda v: 0.04 * (v * v) + 4.1 * v + 108,
    }[pattern.voltage]
    v, u = pattern.v, pattern.b * pattern.v if pattern.u is None else pattern.u
    spikes, trace = [], []
    for k, current in enumerate(pattern.current()):
        v = v + pattern.dt * (square(v) - u + current)
        u = u + pattern.dt * pattern.a * (
            pattern.b * v - u if pattern.recovery == RECOVERY else pattern.b * (v + 65)
        )
        trace.append(min(v, PEAK))
        if v > PEAK:
            spikes.append(k * pattern.dt)
            v, u = pattern.c, u + pattern.d
    return np.array(spikes), np.array(trace)


@pytest.mark.parametrize("letter", RULES)
def test_the_pattern_is_recognised_and_all_others_are_refused(responses, letter):
    assert [other for other, response in responses.items() if RULES[letter](response)] == [letter]


@pytest.mark.parametrize("letter", RULES)
def test_the_rule_refuses_another_neuron_given_the_same_input(backend, letter):
    pattern, other = OF[letter], OF[OTHERS[letter]]
    mistaken = replace(
        other, windows=pattern.windows, base=pattern.base, duration=pattern.duration, dt=pattern.dt
    )
    assert not RULES[letter](respond(mistaken, backend=backend))


@pytest.mark.parametrize("letter", RULES)
def test_the_rule_refuses_a_neuron_that_is_silent_or_fires_all_the_time(responses, letter):
    response = responses[letter]
    silent = replace(response, spikes=np.zeros(0), v=np.minimum(response.v, PEAK - 1))
    assert not RULES[letter](silent)
    restless = replace(
        response, spikes=response.time[:: round(15 / (response.time[1] - response.time[0]))]
    )
    assert not RULES[letter](restless)


@pytest.mark.parametrize("letter", RULES)
def test_the_neuron_does_what_the_published_program_does(responses, letter):
    spikes, voltages = published(OF[letter])
    assert responses[letter].spikes == pytest.approx(spikes, abs=1e-9)
    assert responses[letter].v == pytest.approx(voltages, abs=1e-6)


@pytest.mark.parametrize(("letter", "lowest", "highest"), [("G", 0, 10), ("H", 20, 60)])
def test_the_lowest_rate_of_a_constant_input_is_near_zero_in_class_1_and_far_from_it_in_class_2(
    backend, letter, lowest, highest
):
    """Currents of up to 25 mV/ms in steps of 0.05 mV/ms; rates (Hz) from the last interval within
    1500 ms.
    """
    pattern = OF[letter]
    net = ns.Network("excitability", dt=pattern.dt)
    currents = np.arange(0, 25, 0.05)
    neurons = net.population(
        "neuron",
        len(currents),
        firing_patterns.cell(pattern.voltage),
        a=pattern.a,
        b=pattern.b,
        c=pattern.c,
        d=pattern.d,
        v=pattern.v,
        u=pattern.b * pattern.v,
        current=currents,
    )
    net.record(neurons, "spikes")
    spikes = ns.simulate(net, "1500 ms", backend=backend)["neuron"].spikes
    trains = [spikes.of(i) for i in range(len(currents))]
    rates = [1000 / np.diff(train)[-1] for train in trains if len(train) > 3 and train[-1] > 1200]
    assert lowest < min(rates) < highest
    assert max(rates) > 60


# a, b, c, d and the initial voltage of each panel in figure1.m, the article's program.
PUBLISHED = {
    "A": (0.02, 0.2, -65, 6, -70),
    "B": (0.02, 0.25, -65, 6, -64),
    "C": (0.02, 0.2, -50, 2, -70),
    "D": (0.02, 0.25, -55, 0.05, -64),
    "E": (0.02, 0.2, -55, 4, -70),
    "F": (0.01, 0.2, -65, 8, -70),
    "G": (0.02, -0.1, -55, 6, -60),
    "H": (0.2, 0.26, -65, 0, -64),
    "I": (0.02, 0.2, -65, 6, -70),
    "J": (0.05, 0.26, -60, 0, -62),
    "K": (0.1, 0.26, -60, -1, -62),
    "L": (0.02, -0.1, -55, 6, -60),
    "M": (0.03, 0.25, -60, 4, -64),
    "N": (0.03, 0.25, -52, 0, -64),
    "O": (0.03, 0.25, -60, 4, -64),
    "P": (0.1, 0.26, -60, 0, -61),
    "Q": (1, 0.2, -60, -21, -70),
    "R": (0.02, 1, -55, 4, -65),
    "S": (-0.02, -1, -60, 8, -63.8),
    "T": (-0.026, -1, -45, -2, -63.8),
}


def test_each_neuron_has_the_parameters_and_the_initial_voltage_of_the_published_program():
    assert {p.letter: (p.a, p.b, p.c, p.d, p.v) for p in PATTERNS} == PUBLISHED


# The input of each panel there (mV/ms): its base, then start and stop (ms), value and slope.
INPUTS = {
    "A": (0, [(10, INF, 14, 0)]),
    "B": (0, [(20, INF, 0.5, 0)]),
    "C": (0, [(22, INF, 15, 0)]),
    "D": (0, [(20, INF, 0.6, 0)]),
    "E": (0, [(16, INF, 10, 0)]),
    "F": (0, [(8.5, INF, 30, 0)]),
    "G": (0, [(30, INF, 0, 0.075)]),
    "H": (-0.5, [(30, INF, 0, 0.015)]),
    "I": (0, [(10, 13, 7.04, 0)]),
    "J": (0, [(20, 25, 2, 0)]),
    "K": (0, [(40, 44, 0.65, 0), (60, 64, 0.65, 0), (280, 284, 0.65, 0), (320, 324, 0.65, 0)]),
    "L": (
        0,
        [
            (9.09090909091, 11.0909090909, 9, 0),
            (14.0909090909, 16.0909090909, 9, 0),
            (70, 72, 9, 0),
            (80, 82, 9, 0),
        ],
    ),
    "M": (0, [(20, 25, -15, 0)]),
    "N": (0, [(20, 25, -15, 0)]),
    "O": (0, [(10, 15, 1, 0), (80, 85, 1, 0), (70, 75, -6, 0)]),
    "P": (0.24, [(37.5, 42.5, 1, 0), (216, 221, 1, 0)]),
    "Q": (0, [(9, 11, 20, 0)]),
    "R": (0, [(0, 200, 0, 0.04), (300, 312.5, 0, 0.32)]),
    "S": (80, [(49.5, 250.5, -5, 0)]),
    "T": (80, [(49.5, 250.5, -5, 0)]),
}


@pytest.mark.parametrize("letter", OF)
def test_each_neuron_has_the_input_of_the_published_program(letter):
    base, windows = INPUTS[letter]
    assert OF[letter].base == base
    assert len(OF[letter].windows) == len(windows)
    for window, expected in zip(OF[letter].windows, windows, strict=True):
        window_values = (window.start, window.stop, window.value, window.slope)
        assert window_values == pytest.approx(expected, rel=1e-11)


def test_the_twenty_panels_are_drawn(responses):
    from matplotlib import pyplot

    figure = firing_patterns.figure(list(responses.values()))
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    drawn = figure.axes[0].lines[0].get_ydata()
    pyplot.close(figure)
    assert titles == [f"({p.letter}) {p.name}" for p in PATTERNS]
    assert np.array_equal(drawn, responses["A"].v)


def test_a_figure_needs_a_response_to_every_pattern(responses):
    with pytest.raises(ValueError):
        firing_patterns.figure([responses["A"]])
