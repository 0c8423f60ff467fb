"""The table of targets: the meaning of PyNN's names on each simulator behind it.

Conventions of time, integration and limits. Probed with PyNN 0.13.0, NEST 3.10.0, Brian 2 2.9.0
and sPyNNaker 7.4.1; tests of two neurons check everything that can be run without a board.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..matching.pair_stdp import ADDITIVE, GUETIG, MIXED, MULTIPLICATIVE

TargetName = Literal["nest", "pynn-brian2", "spinnaker"]


@dataclass(frozen=True)
class PlasticDelay:
    """A part of a plastic delay of D steps on a target: ``share`` * D + ``steps``."""

    share: int
    steps: int


@dataclass(frozen=True)
class Target:
    """One simulator.

    Attributes
    ----------
    name : TargetName
        Of the backend.
    title : str
        For readers.
    module : str
        A script imports it as ``sim``.
    preamble : tuple of str
        Lines of a script before the import.
    setup : tuple of (str, object)
        Arguments of ``sim.setup`` besides timestep and delays.
    patches : mapping of str to (str, str)
        Standard cell -> line of a script that completes PyNN, and the reason.
    signal_members : str
        Expression for the neurons of a recorded signal.
    process : str
        In which process scripts run, for the report.
    spike_offset : int
        1 if a spike of step k has the time of the end of that step, (k + 1) dt; 0 if it has the
        time of the start.
    extra_steps : int
        Steps that a run takes after its last, whose end is recorded as the beginning of the next.
    first_given_step : int
        First step in which a listed spike may be.
    extra_delay : int
        Steps added to our delay so that spikes arrive in the same step.
    longest_delay : int or None
        In steps; None: no limit.
    real_time_step : float or None, ms
        The dt that runs in real time; None for software.
    tic : float or None, ms
        The unit in which it counts time; None: any dt will do.
    methods : mapping of str to str
        Standard cell -> integration method, in our words.
    early_threshold : tuple of str
        Standard cells that test the threshold as soon as a voltage step arrives, one step before
        ours.
    strict_threshold : tuple of str
        Standard cells that spike above the threshold, not at it.
    extra_refractory : int
        Steps added to our refractory period.
    shared_parameters : mapping of str to tuple of str
        Standard cell -> parameters with one value for the population.
    replaced_parameters : mapping of str to tuple of (str, str)
        Standard cell -> (parameter, the expression over PyNN's parameters that is used instead).
    singular : mapping
        Standard cell -> pairs of time constants that must not be equal or nearly so.
    positive_parameters : tuple of str
        Parameters of cells that must be above 0.
    fixed_point : bool
        Whether parameters have 15 binary places.
    held_currents : mapping of str to tuple of str
        Standard cell whose input is held constant over a step -> its synaptic time constants, by
        receptor, if the size of a PSP is known.
    unusable : mapping of str to str
        Standard cell -> reason.
    dependences : tuple of str
        Weight dependences of pair STDP.
    absolute_amplitudes : tuple of str
        Dependences whose A_plus and A_minus are changes of the weight itself; of others they are
        relative to w_max.
    dependence_note : str
        Remark on a dependence that is not among them.
    allows_least_weight : bool
        Whether ``w_min`` may differ from 0.
    dendritic : PlasticDelay
        Part of a plastic delay that lies behind the synapse.
    back : PlasticDelay
        Time that the target's spike takes to the synapse.
    timing_remedy : str
        With ``{dt}``; the way to the same timing.
    simultaneous : (int, int)
        Increments of the traces that the other side sees if both ends spike in one step: (of the
        source, of the target).
    order : tuple of str
        What is done to a weight in that step, in order; see `matching.pair_stdp.PairRule`.
    remembered_spikes : int or None
        Spikes of a target that a synapse remembers until its source spikes; None: all.
    tau_minus_of_neuron : bool
        Whether all rules into a population share ``tau_minus``.
    one_rule_per_population : bool
        Whether all rules into a population are equal.
    combined_cores : mapping of str to tuple of str or None
        Standard cell -> weight dependences for which neurons and synapses share a core; others take
        one more.
    no_short_term : str or None
        Why it has no short-term plasticity; None: it has.
    connected_weights : mapping of str to float
        Standard cell -> factor by which PyNN multiplies its weights when it connects, and neither
        the bounds of plastic ones nor weights that are read.
    initial_factors : mapping of str to mapping of str to float
        Standard cell -> state -> factor to the simulator's unit, which PyNN leaves out when it
        initialises the state.
    weights_lag : bool
        Whether a weight that is read is that of the last spike of its source.
    one_edge_per_pair : bool
        Whether several edges of one pair lose all weights and delays but the last.
    signed_weights : bool
        Whether inhibitory currents have negative weights; else only magnitudes count.
    recorded_names : mapping of str to str or None
        Recorded variable of PyNN -> name here; None: it cannot be recorded.
    changing_rates : str or None
        How rates of Poisson sources change: "set" (between stretches of a run), "cell" (by a cell
        of its own), or None (not at all).
    several_spikes : bool
        Whether a Poisson source may emit several spikes in one step.
    late_poisson : bool
        Whether Poisson sources are silent in the first two steps.
    """

    name: TargetName
    module: str
    title: str
    preamble: tuple[str, ...] = ()
    setup: tuple[tuple[str, object], ...] = ()
    patches: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    signal_members: str = "signal.array_annotations['channel_index']"
    process: str = "in a process of its own"

    # Conventions of time.
    spike_offset: int = 1
    extra_steps: int = 0
    first_given_step: int = 0
    extra_delay: int = 0
    longest_delay: int | None = None
    real_time_step: float | None = None
    tic: float | None = None

    # Cells and their parameters.
    methods: Mapping[str, str] = field(default_factory=dict)
    early_threshold: tuple[str, ...] = ()
    strict_threshold: tuple[str, ...] = ()
    extra_refractory: int = 0
    shared_parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replaced_parameters: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    singular: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    positive_parameters: tuple[str, ...] = ()
    fixed_point: bool = False
    held_currents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)

    # Plasticity.
    dependences: tuple[str, ...] = (ADDITIVE,)
    absolute_amplitudes: tuple[str, ...] = ()
    dependence_note: str = ""
    allows_least_weight: bool = False
    dendritic: PlasticDelay = PlasticDelay(1, 0)
    back: PlasticDelay = PlasticDelay(1, 0)
    timing_remedy: str = ""
    simultaneous: tuple[int, int] = (0, 0)
    order: tuple[str, ...] = ("grow", "shrink", "send")
    remembered_spikes: int | None = None
    tau_minus_of_neuron: bool = False
    one_rule_per_population: bool = False
    combined_cores: Mapping[str, tuple[str, ...]] | None = None
    no_short_term: str | None = None
    connected_weights: Mapping[str, float] = field(default_factory=dict)
    initial_factors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    weights_lag: bool = False

    # Edges, recordings and Poisson sources.
    one_edge_per_pair: bool = False
    signed_weights: bool = True
    recorded_names: Mapping[str, str | None] = field(default_factory=dict)
    changing_rates: Literal["set", "cell"] | None = None
    several_spikes: bool = True
    late_poisson: bool = False


# ---- groups of standard cells that behave alike on some target

_CURRENT_BASED = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta")
_CONDUCTANCE_BASED = ("IF_cond_exp", "IF_cond_alpha")
_ADAPTIVE = "EIF_cond_exp_isfa_ista"
_ADAPTIVE_STEP = "adaptive Runge-Kutta"
_IGNORE_WARNINGS = (
    "import warnings",
    'warnings.filterwarnings("ignore")  # PyNN calls functions that are deprecated',
)
# Synaptic currents are states of our cells, so that a user may record them.
_RECORD_SYNAPSES = {
    cell: (
        f'sim.{cell}.recordable = ["spikes", "v", "isyn_exc", "isyn_inh"]',
        "PyNN knows them, and does not offer them",
    )
    for cell in ("IF_curr_exp", "IF_curr_alpha")
}

NEST = Target(
    name="nest",
    module="pyNN.nest",
    title="NEST",
    preamble=_IGNORE_WARNINGS,
    # Otherwise PyNN takes neurons with spikes between steps, which no other engine here has.
    setup=(("spike_precision", "on_grid"),),
    tic=0.001,
    patches={
        "IF_curr_delta": (
            "sim.IF_curr_delta.variable_map, sim.IF_curr_delta.scale_factors = "
            '{"v": "V_m"}, {"v": 1}',
            "PyNN cannot record v of it",
        ),
        "HH_cond_exp": (
            'sim.HH_cond_exp.recordable = [*sim.HH_cond_exp.recordable, "m", "h", "n"]',
            "PyNN knows them, and does not offer them",
        ),
        "SpikeSourcePoisson": (
            'sim.SpikeSourcePoisson.extra_parameters = {"origin": 0.0}',
            "PyNN lets them begin after 1 ms",
        ),
        "IzhikevichHalfSteps": (
            'sim.IzhikevichHalfSteps = type("IzhikevichHalfSteps", (sim.Izhikevich,), '
            '{"extra_parameters": {"consistent_integration": False}})',
            "v in two half steps; a weight is a current that lasts for one step",
        ),
        **_RECORD_SYNAPSES,
    },
    first_given_step=1,  # NEST sends a given spike one step ahead, and step 0 has none before
    methods={
        **dict.fromkeys(_CURRENT_BASED, "exact"),
        "Izhikevich": "euler",
        "IzhikevichHalfSteps": (
            "two half steps of v, not cut off at its peak (u takes a*b*dt of what is above it),"
        ),
        **dict.fromkeys((*_CONDUCTANCE_BASED, _ADAPTIVE, "HH_cond_exp"), _ADAPTIVE_STEP),
    },
    positive_parameters=("cm", "tau_m", "tau_syn_E", "tau_syn_I"),
    # They add arriving steps of voltage before they test the threshold, we after.
    early_threshold=("IF_curr_delta", "Izhikevich"),
    dependences=(ADDITIVE, MULTIPLICATIVE, MIXED, GUETIG),
    timing_remedy="Give all of the delay to the dendrite, and back= equal to it.",
    tau_minus_of_neuron=True,
    # `receptor_scale` of its cells: `_convergent_connect` in nest/projections.py of PyNN 0.13.0.
    connected_weights={"IF_curr_delta": 1e-3, "Izhikevich": 1e-3},
    # `_set_initial_value_array` in nest/populations.py of PyNN 0.13.0 knows no units.
    initial_factors={_ADAPTIVE: {"w": 1e3}},
    weights_lag=True,  # NEST changes a weight only when its source fires
    changing_rates="set",
    late_poisson=True,
)
BRIAN = Target(
    name="pynn-brian2",
    module="pyNN.brian2",
    title="Brian 2 (through PyNN)",
    preamble=(
        *_IGNORE_WARNINGS,
        "import brian2",
        'brian2.prefs.codegen.target = "numpy"  # compiling takes longer than a small run',
        "brian2.BrianLogger.log_level_warn()",
    ),
    patches=_RECORD_SYNAPSES,
    spike_offset=0,
    methods={
        **dict.fromkeys(_CURRENT_BASED, "exact"),
        **dict.fromkeys(("Izhikevich", *_CONDUCTANCE_BASED, "HH_cond_exp"), "euler"),
        _ADAPTIVE: "rk2",
    },
    # All of its cells but Izhikevich, which uses ">=".
    strict_threshold=(*_CURRENT_BASED, *_CONDUCTANCE_BASED, _ADAPTIVE, "HH_cond_exp"),
    extra_refractory=1,  # its count includes the step of the spike
    shared_parameters={
        **dict.fromkeys((*_CURRENT_BASED, *_CONDUCTANCE_BASED), ("tau_refrac",)),
        "Izhikevich": ("c", "d"),
        _ADAPTIVE: ("v_thresh", "delta_T", "v_reset", "b", "tau_refrac"),
    },
    replaced_parameters={
        "IF_curr_alpha": (("tau_syn_I", "tau_syn_E"),),
        _ADAPTIVE: (("v_spike", "v_thresh + 5*delta_T"),),
    },
    # Its solution of the equations divides by their differences.
    singular=dict.fromkeys(
        ("IF_curr_exp", "IF_curr_alpha"), (("tau_m", "tau_syn_E"), ("tau_m", "tau_syn_I"))
    ),
    unusable={
        "HH_cond_exp": (
            "every step above -40 mV counts as a spike there, so one action potential is several"
        )
    },
    dependence_note=" (PyNN takes it, and silently computes the additive one)",
    allows_least_weight=True,
    # The whole delay is axonal, and the target's own spike reaches the synapse at once.
    dendritic=PlasticDelay(0, 0),
    back=PlasticDelay(0, 0),
    timing_remedy="Use dendritic_fraction=0: the delay is along the axon there.",
    simultaneous=(1, 0),
    order=("shrink", "send", "grow"),
    no_short_term=(
        "PyNN's TsodyksMarkramSynapse recovers with tau_syn instead of tau_rec there, "
        "and never facilitates (PyNN 0.13)"
    ),
    one_edge_per_pair=True,
    several_spikes=False,
)
SPINNAKER = Target(
    name="spinnaker",
    module="pyNN.spiNNaker",
    title="SpiNNaker",
    signal_members="signal.annotations['channel_names']",
    process="on the board that .spynnaker.cfg names (without one the network is only mapped)",
    spike_offset=0,
    extra_steps=1,  # v is recorded before it moves: the last value is that of one more step
    extra_delay=1,  # a delay of d steps arrives as one of d - 1 here
    longest_delay=576,  # with up to 128 neurons per core
    real_time_step=1.0,
    tic=0.001,
    methods={
        **dict.fromkeys(_CURRENT_BASED, "input held over each step, in fixed point"),
        "IF_cond_exp": "exponential euler, in fixed point",
        "Izhikevich": "midpoint, 1.85 times as long in the step after a spike, in fixed point",
    },
    positive_parameters=("cm", "tau_m", "tau_syn_E", "tau_syn_I"),  # its quotients have no sign
    fixed_point=True,
    held_currents={
        "IF_curr_exp": ("tau_syn_E", "tau_syn_I"),
        **dict.fromkeys(("IF_curr_alpha", "IF_curr_delta"), ()),
    },
    dependences=(ADDITIVE, MULTIPLICATIVE),
    # `WeightDependenceAdditive.write_parameters` of 7.4.1 writes them as they are given.
    absolute_amplitudes=(ADDITIVE,),
    allows_least_weight=True,
    # The step that `extra_delay` adds is not a part of the dendrite.
    dendritic=PlasticDelay(1, -1),
    back=PlasticDelay(1, 0),
    timing_remedy="Give all of the delay to the dendrite, and back= {dt:.12g} ms more than it.",
    # Of its STDP programme: an age of 0 raises nothing, and is the full trace where it lowers.
    simultaneous=(0, 1),
    remembered_spikes=15,
    one_rule_per_population=True,
    combined_cores={
        **dict.fromkeys(("IF_cond_exp", "IF_curr_alpha", "IF_curr_delta"), (ADDITIVE,)),
        "Izhikevich": (ADDITIVE,),
        "IF_curr_exp": (ADDITIVE, MULTIPLICATIVE),
    },
    no_short_term="sPyNNaker has none",
    signed_weights=False,
    # sPyNNaker calls every synaptic state a conductance, currents too.
    recorded_names={"isyn_exc": "gsyn_exc", "isyn_inh": "gsyn_inh", "u": None},
    changing_rates="cell",
)
TARGETS = {t.name: t for t in (NEST, BRIAN, SPINNAKER)}
