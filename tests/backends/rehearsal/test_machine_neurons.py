"""One step of LIF and Izhikevich cells, against vectors of the machine and a second writing."""

import numpy as np
import pytest
from support import spinnaker_oracle as oracle

from neurosim.backends.pynn.rehearsal.cells import IZHIKEVICH, LIF
from neurosim.backends.pynn.rehearsal.layout import lay_out
from neurosim.backends.pynn.rehearsal.neurons import update_population
from neurosim.backends.pynn.translation.plan import Plan, PlannedPopulation
from neurosim.backends.pynn.translation.targets import SPINNAKER

MEMBRANE = {
    "tau_m": 20.0,
    "cm": 1.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "tau_refrac": 2.0,
    "i_offset": 1.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
}
LIF_VECTOR = {  # step: synaptic current, v after the update
    0: (0, -2097960),
    1: (0, -2067558),
    2: (0, -2038639),
    3: (59393, -1953202),
    4: (48627, -1882432),
    5: (39813, -1823709),
    10: (14645, -1647884),
    11: (None, -2129920),
    20: (1979, -1914218),
}
IZHIKEVICH_VECTOR = [  # v, u, h
    (-2030541, -458095, 32768),
    (-1751161, -456558, 32768),
    (-1222173, -453735, 32768),
    (-2129920, -185287, 60620),
    (-2136662, -194089, 32768),
]
IZHIKEVICH_SPIKES = [3, 21, 69, 116]


def machine(cell, parameters, **initial):
    """Return the neurons of a population of one, with slots for 32 steps."""
    population = PlannedPopulation("cell", 1, cell, parameters, initial)
    plan = Plan("vector", 1.0, 0, SPINNAKER, (population,), (), (), ())
    return lay_out(plan).neurons._replace(slots=np.zeros((32, 2), np.uint32))


def run(neurons, cell, steps, shift=0):
    """Run one neuron; return (current, v, u, h, spikes) after each step."""
    fired = np.zeros(1, np.int32)
    shifts = np.array([shift, shift])
    rows = []
    for step in range(steps):
        spikes = update_population(
            neurons, 0, 1, cell, step % 32, shifts, 32768, fired, np.zeros(2, np.int64)
        )
        rows.append(
            (*(int(a[0]) for a in (neurons.exc, neurons.v, neurons.u, neurons.h)), int(spikes))
        )
    return rows


def lif(*, offset=32768):
    """Return the same cell as `MEMBRANE`, in the second writing."""
    return oracle.Lif(
        resistance=655360,
        factor=31170,
        rest=oracle.fixed(-65),
        reset=oracle.fixed(-65),
        threshold=oracle.fixed(-50),
        refractory=2,
        offset=offset,
        synapse=(3516490311, 3892384920),
        v=oracle.fixed(-65),
    )


def lif_rows(steps, fault=oracle.RIGHT):
    """Return (current at the update, v, spikes) of the vector's cell in the second writing."""
    cell = lif()
    rows = []
    for step in range(steps):
        spikes = cell.step(4096 << 4 if step == 3 else 0, fault)
        rows.append((cell.current_at_update, cell.v, int(spikes)))
    return rows


def test_a_lif_cell_follows_the_vector_of_the_machine():
    """Step 0 by hand: the steady voltage is 20 * 1 - 65 mV = -1474560, and v becomes
    -1474560 - floor(31170 * (-1474560 + 2129920) / 2**15) = -1474560 - 623400 = -2097960.
    Step 3: 4096 << 4 = 65536, two nanoampere, times the share 0.90627 is 59393."""
    neurons = machine("IF_curr_exp", MEMBRANE, v=-65.0)
    neurons.slots[3, 0] = 4096
    rows = run(neurons, LIF, 21, shift=4)
    # Currents are kept after the decay of the step, those of the vector are before it.
    for step, (current, v) in LIF_VECTOR.items():
        assert rows[step][1] == v
        if current is not None:
            assert rows[step][0] == oracle.decay(current, 3516490311)
    assert [step for step, row in enumerate(rows) if row[-1]] == [11]


def test_the_second_writing_of_lif_follows_the_vector_too():
    rows = lif_rows(21)
    for step, (current, v) in LIF_VECTOR.items():
        assert rows[step][1] == v
        assert current is None or rows[step][0] == current


def test_products_to_the_nearest_would_leave_the_vector_of_lif():
    rows = lif_rows(21, oracle.Fault(nearest=True))
    assert any(rows[step][1] != v for step, (_, v) in LIF_VECTOR.items())


def izhikevich():
    return oracle.Izhikevich(
        a=655,
        b=6554,
        c=oracle.fixed(-65),
        d=oracle.fixed(8),
        offset=oracle.fixed(10),
        v=oracle.fixed(-70),
        u=oracle.fixed(-14),
    )


def izhikevich_rows(steps, fault=oracle.RIGHT):
    cell = izhikevich()
    rows = []
    for _ in range(steps):
        spikes = cell.step(fault)
        rows.append((cell.v, cell.u, cell.h, int(spikes)))
    return rows


def test_an_izhikevich_cell_follows_the_vector_of_the_machine():
    """0.02 is 655 and 0.2 is 6554 of 2**-15. A spike lengthens the next step to 1.85 ms, which
    the compiler cut off to 60620."""
    parameters = {
        "a": 0.02,
        "b": 0.2,
        "c": -65.0,
        "d": 8.0,
        "i_offset": 10.0,
        "tau_syn_E": 5.0,
        "tau_syn_I": 5.0,
    }
    rows = run(machine("Izhikevich", parameters, v=-70.0, u=-14.0), IZHIKEVICH, 120)
    assert [row[1:4] for row in rows[:5]] == IZHIKEVICH_VECTOR
    assert [step for step, row in enumerate(rows) if row[-1]] == IZHIKEVICH_SPIKES
    assert [row[1:] for row in rows] == izhikevich_rows(120)


@pytest.mark.parametrize(
    "fault", [oracle.Fault(nearest=True), oracle.Fault(grouped_as_written=True)]
)
def test_another_rounding_or_grouping_would_leave_the_vector_of_izhikevich(fault):
    rows = izhikevich_rows(120, fault)
    assert [row[:3] for row in rows[:5]] != IZHIKEVICH_VECTOR
    assert [row[:3] for row in izhikevich_rows(5)] == IZHIKEVICH_VECTOR


@pytest.mark.parametrize("seed", range(3))
def test_random_lif_cells_agree_with_the_second_writing(seed):
    """Arrivals up to full slots at shift 15 let sums and products wrap."""
    random = np.random.default_rng(seed)
    neurons = machine("IF_curr_exp", MEMBRANE | {"i_offset": 0.0}, v=-65.0)
    cell = lif(offset=0)
    fired = np.zeros(1, np.int32)
    shift = int(random.integers(0, 16))
    for step in range(400):
        slot = int(random.integers(0, 65536)) if random.random() < 0.3 else 0
        neurons.slots[step % 32, 0] = slot
        spikes = update_population(
            neurons,
            0,
            1,
            LIF,
            step % 32,
            np.array([shift, 0]),
            32768,
            fired,
            np.zeros(2, np.int64),
        )
        assert bool(spikes) == cell.step(oracle.wrap(slot << shift))
        assert (int(neurons.v[0]), int(neurons.exc[0])) == (cell.v, cell.current)
        assert int(neurons.timer[0]) == cell.timer


def test_a_refractory_cell_is_still_compared_with_its_threshold():
    """A cell that is reset above its threshold spikes again in its refractory period."""
    neurons = machine("IF_curr_exp", MEMBRANE | {"v_reset": -49.0, "i_offset": 2.0}, v=-50.0)
    assert [row[-1] for row in run(neurons, LIF, 4)] == [1, 1, 1, 1]


def test_slots_of_sixteen_bits_saturate_and_are_counted():
    """Weights of 40 000 and 30 000 meet: 65 535 arrive, in nanoampere at shift 0 1.9999 times the
    share of 0.90627."""
    neurons = machine("IF_curr_exp", MEMBRANE | {"i_offset": 0.0}, v=-65.0)
    neurons.slots[0, 0] = 40_000 + 30_000
    saturated = np.zeros(2, np.int64)
    fired = np.zeros(1, np.int32)
    update_population(neurons, 0, 1, LIF, 0, np.array([0, 0]), 32768, fired, saturated)
    assert saturated.tolist() == [1, 0]
    arrived = oracle.decay(65535, 3892384920)
    assert int(neurons.exc[0]) == oracle.decay(arrived, 3516490311)
    assert int(neurons.slots[0, 0]) == 0
