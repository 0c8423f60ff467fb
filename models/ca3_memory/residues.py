"""How far apart operations must stand: what each leaves in the weights adds up over bits."""

from __future__ import annotations

from math import ceil, exp, log

from .network import STRENGTH, TAU
from .operations import ECHO, LAST, OFFSETS

ROUNDS = 100  # of recalls between two learnings of a memory, for which spacings are chosen
FIRES = 3.358  # nA: the smallest weight of one bit that fires a rested neuron of CueCont
_LEARN, _BY_CONTENT = 0, 2  # columns of `OFFSETS`


def residue(spacing: float, *, rounds: int = ROUNDS) -> float:
    """Return how much the weight from a bit to the cue of another memory may have grown, nA.

    The cue of an operation spikes while the trace of the bits of the operation before it has not
    decayed: that potentiates their weights by a pair of spikes each. If more than two memories
    take turns, no pair of the opposite order undoes it.

    Parameters
    ----------
    spacing : ms
        From the beginning of one operation to the next.
    rounds : int
        How often every memory is asked for by its content after it was learned.
    """
    return _potentiation(_LEARN, spacing) + rounds * _potentiation(_BY_CONTENT, spacing)


def _potentiation(operation: int, spacing: float) -> float:
    before = OFFSETS["ContCont"][operation]
    after = OFFSETS["CueCont"][operation]
    # A spike of the target reaches the synapse one step after it was emitted.
    distances = [spacing + post + 1 - pre for pre in before for post in after]
    return sum(STRENGTH * exp(-distance / TAU) for distance in distances)


def forgotten() -> float:
    """Return the weight that a forgotten bit keeps towards the cue that has forgotten it, nA.

    The echo of the bit depresses the weight to 0; the second spike of the cue follows it, and
    potentiates once more.
    """
    echo = ECHO["ContCont"]
    last = OFFSETS["CueCont"][_LEARN][-1]
    return STRENGTH * exp(-(last + 1 - echo) / TAU)


def shortest_spacing(content_size: int, *, rounds: int = ROUNDS) -> int:
    """Return the shortest spacing at which residues fire no cue.

    That is, the residues of all bits of a content together do not, and neither does that of one
    bit on top of what it kept when it was forgotten. Two forgotten bits that are asked for at once
    fire their former cue at any spacing.

    Parameters
    ----------
    content_size : int
        Bits of the largest content.
    rounds : int
        See `residue`.

    Returns
    -------
    ms
        At least 8, in which an operation is over.
    """
    allowed = min(FIRES / content_size, FIRES - forgotten())
    # Residues shrink by exp(-spacing / TAU), whatever the operation.
    return max(LAST + 1, ceil(TAU * log(residue(0, rounds=rounds) / allowed)))
