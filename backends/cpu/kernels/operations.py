"""Arguments of operations and kernels by name: one declaration serves the writer and the reader.

An operation of the time loop is a row of `WIDTH` int64 numbers: its code, then its arguments. A
kernel gets the address of such arguments without a code. The host builds an instance, by keyword,
of one of the classes below; a missing or misnamed argument is a TypeError there. Compiled code
reads `load_arg(args, EVENTS.delay)`: the attributes of `EVENTS` are the positions, which Numba
takes as constants; a misnamed argument is a typing error when it compiles.
"""

# No `from __future__ import annotations` here: `positions` needs the classes of fields, not text.

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import ModuleType
from typing import Any, TypeVar, cast, dataclass_transform, get_args

import numpy as np

from neurosim.ir.memory import Key

LONG = 8  # bytes of an argument
A = TypeVar("A")


@dataclass(frozen=True)
class Size:
    """An argument that is the number of elements of an array of the memory."""

    key: Key


@dataclass(frozen=True, eq=False)
class Pointer:
    """An argument that is the address of an array which the host chooses anew for every stretch.

    Attributes
    ----------
    cells : arguments that hold the address, each a view of one number
    """

    cells: list[np.ndarray] = field(default_factory=list)

    def point(self, array: np.ndarray) -> None:
        """Write the address of an array wherever this argument stands."""
        for cell in self.cells:
            cell[0] = array.ctypes.data


@dataclass_transform(kw_only_default=True)
def _arguments(cls: type[A]) -> type[A]:
    # Nothing else of a dataclass is needed: creating the rest would delay every start.
    return dataclass(kw_only=True, eq=False, repr=False, match_args=False)(cls)


# A number, an array (its address), a key of the memory (the address of its array), or one of the
# two above.
Argument = bool | int | np.integer | np.ndarray | Key | Size | Pointer


@_arguments
class History:
    """Where the recent spikes of a population lie, ascending for each step and partition."""

    spikes: Argument  # (depth, neurons) int32
    counts: Argument  # (depth, partitions) int64
    partitions: Argument
    neurons: Argument
    depth: Argument  # steps that are held
    starts: Argument  # first neuron of each partition


# ---- operations of the time loop


@_arguments
class Barrier:
    """Begin a phase."""


@_arguments
class Integrate:
    """Call the kernel of phases 2 and 3; its result tells of a value that is not finite."""

    kernel: Argument
    args: Argument
    start: Argument
    stop: Argument


@_arguments
class Call:
    """Call any other kernel."""

    kernel: Argument
    args: Argument
    start: Argument
    extent: Argument  # end of the range, or its number of items, as the kernel expects


@_arguments
class Assign:
    """Call a kernel that assigns states of cells; its result tells of one that is not finite."""

    kernel: Argument
    args: Argument
    start: Argument
    extent: Argument


@_arguments
class Collect:
    """List the neurons of a partition that fired."""

    history: History
    start: Argument
    stop: Argument
    fired: Argument  # one byte per neuron


@_arguments
class Replay:
    """List the spikes of this step that the user gave."""

    history: History
    start: Argument
    stop: Argument
    steps: Argument  # (S,) ascending
    neurons: Argument  # (S,)
    size: Argument  # S


@_arguments
class Static:
    """Deliver the spikes that arrive now along a static projection with one delay."""

    history: History
    delay: Argument
    since: Argument  # step before which spikes of a reset run are not delivered
    bounds: Argument  # (sources * partitions + 1,) first edge of each source in each partition
    targets: Argument
    short: Argument  # whether targets have 2 bytes
    weights: Argument
    weight_count: Argument  # 1: all edges have one weight
    ring: Argument


@_arguments
class StaticShared:
    """The same of edges that share several weights; begins with the arguments of `Static`."""

    history: History
    delay: Argument
    since: Argument
    bounds: Argument
    targets: Argument
    short: Argument
    weights: Argument
    weight_count: Argument
    ring: Argument
    positions: Argument  # of the weight of each edge
    short_positions: Argument  # whether positions have 2 bytes


@_arguments
class Events:
    """Call a kernel with the spikes that arrive now, all of one delay."""

    history: History
    delay: Argument
    since: Argument
    first_partition: Argument
    last_partition: Argument
    kernel: Argument
    args: Argument


@_arguments
class Gather:
    """List the delay groups (neuron, delay) whose event arrives now."""

    history: History
    delays: Argument
    delay_count: Argument
    since: Argument
    members: Argument  # (words, neurons, 2) see `plan.wiring.groups_by_bits`
    first_partition: Argument
    last_partition: Argument
    groups: Argument
    count: Argument


@_arguments
class Gathered:
    """Call a kernel with the delay groups that `Gather` listed."""

    kernel: Argument
    args: Argument
    groups: Argument
    count: Argument


@_arguments
class Fold:
    """Add the term of a projection to its port."""

    port: Argument
    ring: Argument
    depth: Argument
    neurons: Argument
    start: Argument
    stop: Argument


@_arguments
class Reset:
    """Call the kernel of phase 5 with the neurons of a partition that fired."""

    history: History
    kernel: Argument
    args: Argument


@_arguments
class CatchUp:
    """Let all edges catch up if notes are full or an edge variable is recorded now."""

    kernel: Argument
    args: Argument
    groups: Argument  # number of delay groups of the sources
    full: Argument
    every: Argument  # steps between records; 0: none


@_arguments
class Spikes:
    """Record the spikes of this step."""

    history: History
    members: Argument  # one byte per neuron; 0: all are recorded
    neurons: Argument
    steps: Argument
    count: Argument
    room: Argument


@_arguments
class SpikeValues:
    """Record a variable of the neurons of a partition that spike, before their reset."""

    history: History
    members: Argument  # one byte per neuron; 0: all are recorded
    neurons: Argument
    steps: Argument
    out: Argument
    values: Argument
    count: Argument
    room: Argument


@_arguments
class Trace:
    """Record the values of members."""

    every: Argument
    out: Argument
    columns: Argument
    values: Argument
    index: Argument  # of each member among the values
    column: Argument  # of each member
    count: Argument  # members
    first: Argument  # first step of the stretch
    last: Argument  # of a variable with a closed form the steps of its values, else 0
    tau: Argument
    tau_count: Argument
    inflow: Argument  # 0 if nothing flows in
    inflow_count: Argument
    dt: Argument


@_arguments
class Signal:
    """End the stretch after this step if neurons spiked whose spikes emit a signal."""

    history: History
    members: Argument  # one byte per neuron; 0: all emit it


Operation = (
    Barrier
    | Integrate
    | Call
    | Assign
    | Collect
    | Replay
    | Static
    | StaticShared
    | Events
    | Gather
    | Gathered
    | Fold
    | Reset
    | CatchUp
    | Spikes
    | SpikeValues
    | Trace
    | Signal
)


# ---- arguments of kernels


@_arguments
class DrawArguments:
    """Random numbers of phase 1."""

    buffer: Argument
    key0: Argument
    key1: Argument
    replica: Argument


@_arguments
class DriveArguments:
    """Poisson counts that are added to a port."""

    port: Argument
    key0: Argument
    key1: Argument
    replica: Argument
    targets: Argument
    rate: Argument
    rate_count: Argument
    weight: Argument
    weight_count: Argument
    dt: Argument
    neighbours: Argument  # whether targets are consecutive neurons
    uniforms: Argument  # room for a block of uniform numbers
    quantiles: Argument  # the mean that they are of, then the quantiles
    begins: Argument  # where the search for a count begins
    words: Argument  # room for a block of words
    counts: Argument  # room for their counts
    levels: Argument  # see `kernels.philox.poisson_levels`


@_arguments
class LandingArguments:
    """A static projection whose delays differ; see `kernels.late_events`."""

    history: History
    since: Argument
    bounds: Argument
    delays: Argument
    targets: Argument
    weights: Argument
    weight_count: Argument
    edges: Argument
    depth: Argument  # lists, one per step from now on
    next: Argument  # first step whose spikes are not yet in the lists
    heads: Argument
    tails: Argument
    lost: Argument  # marks of lists that lack events
    pool: Argument
    links: Argument
    pool_targets: Argument
    pool_weights: Argument
    term: Argument
    port: Argument
    short_delays: Argument  # whether delays have 2 bytes
    short_targets: Argument


@_arguments
class NoteArguments:
    """Notes of post-spikes whose handlers are deferred; see `kernels.deferral`."""

    groups: Argument  # delay groups of targets
    counts: Argument
    steps: Argument
    done: Argument
    edges: Argument
    when: Argument
    first: Argument  # step that notes count from
    full: Argument
    pre_groups: Argument
    begin: Argument  # first group of the partition
    end: Argument


# ---- positions, for compiled code


def positions(arguments: type[A]) -> A:
    """Return an object with the fields of a class whose values are their positions."""
    return _number(arguments, count())


def _number(arguments: type[A], numbers: Iterator[int]) -> A:
    # A module, since Numba resolves its attributes to constants when it compiles.
    fields = ModuleType(arguments.__name__)
    for name, annotation in arguments.__annotations__.items():
        is_history = annotation is History
        setattr(fields, name, _number(annotation, numbers) if is_history else next(numbers))
    return cast(A, fields)


OPERATIONS: tuple[type[Operation], ...] = get_args(Operation)
# The code of each operation, by its name: Numba folds these to constants, so that `loop.execute`
# compares numbers.
CODES: Any = ModuleType("CODES")
for code, operation in enumerate(OPERATIONS):
    setattr(CODES, operation.__name__.lower(), code)

HISTORY = positions(History)  # of all arguments that begin with a history
INTEGRATE = positions(Integrate)
CALL = positions(Call)
ASSIGN = positions(Assign)
COLLECT = positions(Collect)
REPLAY = positions(Replay)
STATIC = positions(Static)
STATIC_SHARED = positions(StaticShared)
EVENTS = positions(Events)
GATHER = positions(Gather)
GATHERED = positions(Gathered)
FOLD = positions(Fold)
RESET = positions(Reset)
CATCH_UP = positions(CatchUp)
SPIKES = positions(Spikes)
SPIKE_VALUES = positions(SpikeValues)
TRACE = positions(Trace)
SIGNAL = positions(Signal)
DRAW = positions(DrawArguments)
DRIVE = positions(DriveArguments)
LANDING = positions(LandingArguments)
NOTES = positions(NoteArguments)


def flatten(arguments: object) -> list[Argument]:
    """Return arguments in the order of their positions."""
    flat: list[Argument] = []
    for name in type(arguments).__annotations__:
        argument = getattr(arguments, name)
        flat += flatten(argument) if isinstance(argument, History) else [argument]
    return flat


def length(arguments: type) -> int:
    """Return the number of positions."""
    fields = arguments.__annotations__.values()
    return sum(length(History) if field is History else 1 for field in fields)


WIDTH = 1 + max(map(length, OPERATIONS))  # numbers in the row of an operation


def row_of(operation: Operation) -> list[Argument]:
    """Return the row of an operation: its code, then its arguments."""
    return [OPERATIONS.index(type(operation)), *flatten(operation)]
