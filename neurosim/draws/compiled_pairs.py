"""Random numbers of pairs of neurons for compiled code: the bits of `neurosim.draws.streams`."""

from __future__ import annotations

import numpy as np

from .compiled_edges import compile_body
from .compiled_streams import normal_block, philox4x32, uniform_block

CHUNK = 128  # targets at a time
_HALF = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)


@compile_body
def pair_words(block, source, repeat, k0, k1):
    """Return the words of four draws: of the targets 4 * block to 4 * block + 3.

    Parameters
    ----------
    block : int
    source : int
        Row of the stream.
    repeat : int
        Number of an edge among those of its pair.
    k0, k1 : int
        Key of the stream.
    """
    step = np.uint64(source)
    return philox4x32(
        np.uint64(block) & _MASK,
        step & _MASK,
        step >> _HALF,
        np.uint64(repeat),
        np.uint64(k0),
        np.uint64(k1),
    )


@compile_body
def fill_uniforms(out, targets, source, k0, k1):
    """Fill `out` with a draw from (0, 1) for each of some targets.

    Parameters
    ----------
    out : (CHUNK,)
        Filled in place.
    targets : (K,) integers
    source, k0, k1 : int
        As of `pair_words`.
    """
    neighbours = targets[0] & 3 == 0
    for k in range(targets.size):
        neighbours &= targets[k] == targets[0] + k
    # Of neighbours, four draws belong to four of them; others take one of four.
    whole = targets.size >> 2 if neighbours else 0
    block = targets[0] >> 2
    for b in range(whole):
        w0, w1, w2, w3 = pair_words(block + b, source, 0, k0, k1)
        out[4 * b], out[4 * b + 1], out[4 * b + 2], out[4 * b + 3] = uniform_block(w0, w1, w2, w3)
    for k in range(4 * whole, targets.size):
        out[k] = uniform_of_pair(targets[k], source, 0, k0, k1)


@compile_body
def uniform_of_pair(target, source, repeat, k0, k1):
    """Return a draw from (0, 1) of one pair; arguments as of `pair_words`."""
    w0, w1, w2, w3 = pair_words(target >> 2, source, repeat, k0, k1)
    return uniform_block(w0, w1, w2, w3)[target & 3]


@compile_body
def normal_of_pair(target, source, repeat, k0, k1):
    """Return a standard normal draw of one pair; arguments as of `pair_words`."""
    w0, w1, w2, w3 = pair_words(target >> 2, source, repeat, k0, k1)
    return normal_block(w0, w1, w2, w3)[target & 3]
