"""What each simulator behind PyNN does with the same words: conventions of time, integration, limits; facts that were probed or read.

Probed with PyNN 0.13.0, NEST 3.10.0, Brian 2 2.9.0 and sPyNNaker 7.4.1. The tests of two neurons pin what can be run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..matching.pair_stdp import ADDITIVE, GUETIG, MIXED, MULTIPLICATIVE


@dataclass(frozen=True)
class Target:
    """One simulator.

    Attributes
    ----------
    module : what a script imports as ``sim``
    preamble : lines of a script before the import
    setup : arguments of ``sim.setup`` besides timestep and delays
    first : 1 if a spike of step k carries the time of its end, (k + 1) dt; 0 if that of its start
    later : steps that a delay has more than ours, for the same step of arrival
    dendritic, back : of a plastic delay of D steps there, in our terms: what lies behind the synapse, and how late the target's spike reaches it,
        as (share of D, steps added)
    met : what spikes of both ends that meet at a synapse add to the traces that the other sees: (of the source, of the target); None: not probed
    longer : steps that a refractory period has more than ours
    integrates : standard cell -> method, in our words
    early : standard cells that test the threshold as soon as a voltage step arrives, one step before ours
    alike : standard cell -> parameters that are one value for the population
    instead : standard cell -> (parameter, what is used instead of it, as an expression over PyNN's parameters)
    dependences : weight dependences of pair STDP
    least_weight : whether ``w_min`` may differ from 0
    one_edge : whether several edges of one pair lose all weights and delays but the last
    signed : whether inhibitory currents have negative weights; else only magnitudes count
    patches : standard cell -> line of a script that mends what PyNN lacks, and why
    records : name of a recorded variable in PyNN -> that of this target; None: it has none
    combined : standard cell -> weight dependences for which neurons and their synapses share a core; others take one more
    broken : standard cell -> why it is of no use there
    short_term : why it has no short-term plasticity; None: it has
    course : how rates of Poisson sources over time are given: "set" (between stretches, steps before they act), "cell" (one of its own); None: not at all
    members : what a script finds the neurons of a recorded signal by
    more : steps that a run takes beyond its last, whose end is recorded as the beginning of the next
    """

    name: str
    module: str
    title: str
    preamble: tuple[str, ...] = ()
    setup: tuple[tuple[str, object], ...] = ()
    first: int = 1
    later: int = 0
    dendritic: tuple[int, int] = (1, 0)
    back: tuple[int, int] = (1, 0)
    met: tuple[int, int] | None = (0, 0)
    longer: int = 0
    integrates: dict[str, str] = field(default_factory=dict)
    early: tuple[str, ...] = ()
    alike: dict[str, tuple[str, ...]] = field(default_factory=dict)
    instead: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    dependences: tuple[str, ...] = (ADDITIVE,)
    least_weight: bool = False
    one_edge: bool = False
    signed: bool = True
    patches: dict[str, tuple[str, str]] = field(default_factory=dict)
    records: dict[str, str | None] = field(default_factory=dict)
    combined: dict[str, tuple[str, ...]] | None = None
    broken: dict[str, str] = field(default_factory=dict)
    short_term: str | None = None
    course: str | None = None
    members: str = "signal.array_annotations['channel_index']"
    more: int = 0


_ADAPTIVE_STEP = "adaptive Runge-Kutta"
_CURRENT_BASED = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta")
_BEFORE_IMPORT = (
    "import warnings",
    'warnings.filterwarnings("ignore")  # PyNN calls functions that are deprecated',
)
_SYNAPSES_RECORDED = {
    cell: (
        f'sim.{cell}.recordable = ["spikes", "v", "isyn_exc", "isyn_inh"]',
        "PyNN knows them, and does not offer them",
    )
    for cell in ("IF_curr_exp", "IF_curr_alpha")
}

NEST = Target(
    "nest",
    "pyNN.nest",
    "NEST",
    preamble=_BEFORE_IMPORT,
    setup=(("spike_precision", "on_grid"),),
    course="set",
    integrates=dict.fromkeys(_CURRENT_BASED, "exact")
    | {
        "Izhikevich": "euler",
        "IzhikevichHalfSteps": "two half steps of v, not cut off at its peak (u takes a*b*dt of what is above it),",
    }
    | dict.fromkeys(
        ("IF_cond_exp", "IF_cond_alpha", "EIF_cond_exp_isfa_ista", "HH_cond_exp"), _ADAPTIVE_STEP
    ),
    early=("IF_curr_delta", "Izhikevich"),
    dependences=(ADDITIVE, MULTIPLICATIVE, MIXED, GUETIG),
    patches={
        "IF_curr_delta": (
            'sim.IF_curr_delta.variable_map, sim.IF_curr_delta.scale_factors = {"v": "V_m"}, {"v": 1}',
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
        **_SYNAPSES_RECORDED,
    },
)
BRIAN = Target(
    "pynn-brian2",
    "pyNN.brian2",
    "Brian 2 (through PyNN)",
    preamble=(
        *_BEFORE_IMPORT,
        "import brian2",
        'brian2.prefs.codegen.target = "numpy"  # compiling takes longer than a small run',
        "brian2.BrianLogger.log_level_warn()",
    ),
    first=0,
    dendritic=(0, 0),
    back=(0, 0),
    met=(1, 0),
    longer=1,
    one_edge=True,
    integrates=dict.fromkeys(_CURRENT_BASED, "exact")
    | dict.fromkeys(("Izhikevich", "IF_cond_exp", "IF_cond_alpha", "HH_cond_exp"), "euler")
    | {"EIF_cond_exp_isfa_ista": "rk2"},
    alike=dict.fromkeys((*_CURRENT_BASED, "IF_cond_exp", "IF_cond_alpha"), ("tau_refrac",))
    | {
        "Izhikevich": ("c", "d"),
        "EIF_cond_exp_isfa_ista": ("v_thresh", "delta_T", "v_reset", "b", "tau_refrac"),
    },
    instead={
        "IF_curr_alpha": (("tau_syn_I", "tau_syn_E"),),
        "EIF_cond_exp_isfa_ista": (("v_spike", "v_thresh + 5*delta_T"),),
    },
    least_weight=True,
    patches=_SYNAPSES_RECORDED,
    short_term="PyNN's TsodyksMarkramSynapse recovers with tau_syn instead of tau_rec there, and never facilitates (PyNN 0.13)",
    broken={
        "HH_cond_exp": "every step above -40 mV counts as a spike there, so one action potential is several"
    },
)
SPINNAKER = Target(
    "spinnaker",
    "pyNN.spiNNaker",
    "SpiNNaker",
    first=0,
    later=1,
    dendritic=(1, -1),
    back=(1, 0),
    met=None,
    signed=False,
    members="signal.annotations['channel_names']",
    more=1,
    least_weight=True,
    short_term="sPyNNaker has none",
    course="cell",
    integrates={
        "IF_curr_exp": "exact, in fixed point",
        "IF_curr_alpha": "exact, in fixed point",
        "IF_curr_delta": "exact, in fixed point",
        "IF_cond_exp": "exponential euler, in fixed point",
        "Izhikevich": "midpoint, in fixed point",
    },
    dependences=(ADDITIVE, MULTIPLICATIVE),
    records={"isyn_exc": "gsyn_exc", "isyn_inh": "gsyn_inh", "u": None},
    combined=dict.fromkeys(
        ("IF_cond_exp", "IF_curr_alpha", "IF_curr_delta", "Izhikevich"), (ADDITIVE,)
    )
    | {"IF_curr_exp": (ADDITIVE, MULTIPLICATIVE)},
)
TARGETS = {t.name: t for t in (NEST, BRIAN, SPINNAKER)}
