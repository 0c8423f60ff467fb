"""Course: some steps of a population, and what they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ..neurons import Neurons, NeuronState
from ..terms import Term

Series = Mapping[str, Tensor]
"""Name -> values of all steps, broadcasts with (T, B, N)."""


@dataclass(frozen=True)
class Course:
    """Some steps of a population.

    Attributes
    ----------
    neurons : Neurons
    first, steps : int
    replica : (B, 1) int64
    values : name -> (1,) or (N,)
        Parameters and constants.
    series : ``_port_x`` or parameter -> broadcasts with (T, B, N)
        What changes from step to step and is known for all; ports without input are missing.
    recurrent : port -> summands
        Of the ports that spikes of the same course reach. Its first step is then step 0.
    traced : names of states
        Whose values of all steps are asked for.
    cuts : steps -> bool, or None
        Whether no gradient passes from before a step into its states; None: it always does.
    """

    neurons: Neurons
    first: int
    steps: int
    replica: Tensor
    values: Mapping[str, Tensor]
    series: Series
    recurrent: Mapping[str, tuple[Term, ...]]
    traced: tuple[str, ...]
    cuts: Callable[[int], bool] | None


@dataclass(frozen=True)
class CourseResult:
    """What a course leaves.

    Attributes
    ----------
    state : NeuronState
        After the last step.
    spikes : (T, B, N), or None
        None: the cell never spikes.
    traces : state -> (T, B, N)
    """

    state: NeuronState
    spikes: Tensor | None
    traces: dict[str, Tensor]
