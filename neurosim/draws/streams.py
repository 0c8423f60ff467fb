"""Random numbers from counters (Philox 4x32-10): a draw depends on its key and counter alone.

The words of a draw are those of the counter ``(index div 4, step low, step high, replica)`` under
the key of a stream; the draw at ``index`` takes lane ``index mod 4``. Index, step and replica are
integers; a negative one counts as its two's complement. Draws repeat after 2**34 indices and 2**32
replicas.

The functions that compute draws use only operations that give the same bits in every engine, and
are rebuilt there as those of `neurosim.expr.functions` are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..expr.functions import FUNCTIONS

Key = tuple[int, int]
# Streams of the engine under the name of a population or projection; see `user_stream`.
_OF_ENGINE = {
    "population": re.compile(r"draw\d+"),
    "projection": re.compile(r"draw\d+|edges|weight|delay|back"),
}
Four = tuple[Any, Any, Any, Any]

# Multipliers, and the increments of the key, of Salmon, Moraes, Dror & Shaw 2011,
# "Parallel random numbers: as easy as 1, 2, 3".
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_GRAIN = 2.0**-32
MOST_MEAN = 700.0  # of one Poisson draw: exp(-mean) underflows from 745 on
MOST_COUNTS = 1e6  # mean of a sum of Poisson draws
# Steps between the counters of draws that are added: no run gets so far, since 2**48 steps of a
# microsecond of computing time take nine years.
NEXT_DRAW = 2**48
# A literal, since every engine must multiply by the same bits.
_TURN = 6.283185307179586

_log, _sqrt, _sin, _cos = (FUNCTIONS[name] for name in ("log", "sqrt", "sin", "cos"))


def philox4x32(
    c0: Any,
    c1: Any,
    c2: Any,
    c3: Any,
    k0: Any,
    k1: Any,
) -> Four:
    """Return the four words of a counter under a key.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64 that hold 32 bits, broadcast
        The counter.
    k0, k1 : uint64 that hold 32 bits
        The key.

    Notes
    -----
    Source: Salmon, Moraes, Dror & Shaw 2011, Philox 4x32 with 10 rounds.
    """
    for _ in range(10):
        a = _M0 * c0
        b = _M1 * c2
        c0 = (b >> _HALF) & _MASK ^ c1 ^ k0
        c1 = b & _MASK
        c2 = (a >> _HALF) & _MASK ^ c3 ^ k1
        c3 = a & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def uniform_block(
    w0: Any,
    w1: Any,
    w2: Any,
    w3: Any,
) -> Four:
    """Return the middles of those parts of (0, 1), 2**32 equal ones, that four words number.

    Parameters
    ----------
    w0, w1, w2, w3 : integers of 32 bits, broadcast
    """
    return (w0 + 0.5) * _GRAIN, (w1 + 0.5) * _GRAIN, (w2 + 0.5) * _GRAIN, (w3 + 0.5) * _GRAIN


def normal_block(
    w0: Any,
    w1: Any,
    w2: Any,
    w3: Any,
) -> Four:
    """Return four standard normal numbers, two from each pair of words; none is beyond 6.77.

    Parameters
    ----------
    w0, w1, w2, w3 : integers of 32 bits, broadcast

    Notes
    -----
    Source: Box & Muller 1958.
    """
    # Never at 0, whose logarithm is infinite: words name the middles of intervals.
    r0 = _sqrt(-2.0 * _log((w0 + 0.5) * _GRAIN))
    angle0 = _TURN * ((w1 + 0.5) * _GRAIN)
    r1 = _sqrt(-2.0 * _log((w2 + 0.5) * _GRAIN))
    angle1 = _TURN * ((w3 + 0.5) * _GRAIN)
    return r0 * _cos(angle0), r0 * _sin(angle0), r1 * _cos(angle1), r1 * _sin(angle1)


def key_of(seed: int, name: str) -> Key:
    """Return the two 32-bit words of the stream `name` under `seed`."""
    # A hash, because keys from nearby seeds must not be alike, and Python's own differs per
    # process.
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def repeated(key: Key, repeat: int) -> Key:
    """Return the key of draws of a signal that was emitted before at the same step.

    Parameters
    ----------
    key : two 32-bit words, see `key_of`
    repeat : int
        How often it was emitted before.
    """
    # Keys are hashes: those of other streams are not near this one.
    return key[0] ^ (repeat & 0xFFFFFFFF), key[1]


def uniform(
    key: Key,
    index: ArrayLike,
    step: ArrayLike,
    *,
    replica: ArrayLike = 0,
) -> NDArray[np.float64]:
    """Draw uniformly from (0, 1), both ends excluded, in steps of 2**-32.

    Parameters
    ----------
    key : two 32-bit words, see `key_of`
    index, step, replica : integers that broadcast
        Identify the draw, for example by a neuron and a time step.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    TypeError
        If index, step or replica is not an integer.
    """
    return _draw(uniform_block, key, index, step, replica)


def normal(
    key: Key,
    index: ArrayLike,
    step: ArrayLike,
    *,
    replica: ArrayLike = 0,
) -> NDArray[np.float64]:
    """Draw from the standard normal distribution, cut at 6.77, with the words of `uniform`.

    Parameters
    ----------
    key : two 32-bit words, see `key_of`
    index, step, replica : integers that broadcast
        Identify the draw, for example by a neuron and a time step.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    TypeError
        If index, step or replica is not an integer.
    """
    return _draw(normal_block, key, index, step, replica)


def poisson(mean: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Return the Poisson counts at the quantiles `u`, by search from zero.

    Parameters
    ----------
    mean : array, 0 to 700
    u : array, in (0, 1)
        Draws of `uniform` are multiples of 2**-32: a count of a smaller tail probability never
        occurs.

    Returns
    -------
    array of the broadcast shape
        Whole numbers as float64; NaN if the mean is above 700, because exp(-mean) would underflow.
        `poisson_counts` adds several.
    """
    mean, u = np.broadcast_arrays(np.asarray(mean, dtype=np.float64), u)
    p = np.asarray(FUNCTIONS["exp"](-mean))
    cumulated = p.copy()
    count = np.zeros_like(p)
    while (open_ := (u >= cumulated) & (p > 0.0)).any():  # p ends at 0 whatever u is
        count[open_] += 1.0
        p[open_] = p[open_] * mean[open_] / count[open_]
        cumulated[open_] += p[open_]
    return np.where((mean >= 0.0) & (mean <= MOST_MEAN), count, np.nan)[()]


def poisson_counts(
    key: Key,
    index: ArrayLike,
    step: int,
    *,
    mean: ArrayLike,
    replica: int = 0,
) -> NDArray[np.float64]:
    """Draw Poisson counts of any mean up to `MOST_COUNTS`.

    Parameters
    ----------
    key : two 32-bit words, see `key_of`
    index : (N,) integers
    step, replica : int
    mean : (N,) or one for all

    Returns
    -------
    (N,)
        Whole numbers as float64. A mean above 700 is shared equally by as few draws as possible,
        whose sum has the same distribution.
    """
    index = np.asarray(index)
    mean = np.broadcast_to(np.asarray(mean, np.float64), index.shape)
    draws = np.where(mean <= 2 * MOST_COUNTS, np.maximum(np.ceil(mean / MOST_MEAN), 1.0), 1.0)
    share = mean / draws
    total = np.zeros(index.shape)
    for number in range(int(draws.max(initial=0.0))):
        more = draws > number
        u = uniform(key, index[more], step + number * NEXT_DRAW, replica=replica)
        total[more] += poisson(share[more], u)
    return total


def _draw(
    block: Callable[..., Four],
    key: Key,
    index: ArrayLike,
    step: ArrayLike,
    replica: ArrayLike,
) -> NDArray[np.float64]:
    index = _integers(index)
    step = _integers(step)
    replica = _integers(replica)
    k0, k1 = (np.uint64(word) for word in key)
    rest = (_words(step), _words(step >> 32), _words(replica), k0, k1)
    by_row = all(word.ndim == 0 or word.shape[-1] == 1 for word in (step, replica))
    if not (by_row and index.ndim == 1 and index.size and (np.diff(index) == 1).all()):
        return np.choose(index & 3, block(*philox4x32(_words(index >> 2), *rest)))
    first = int(index[0])  # a range: each block is made once, not once per lane
    lanes = np.stack(
        block(*philox4x32(_words(np.arange(first >> 2, (int(index[-1]) >> 2) + 1)), *rest)), axis=-1
    )
    return lanes.reshape(*lanes.shape[:-2], -1)[..., first & 3 :][..., : index.size]


def _integers(values: ArrayLike) -> NDArray[np.int64]:
    # Floats are refused: rounded times would give draws of the wrong step.
    return np.asarray(values).astype(np.int64, casting="same_kind")


def _words(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    return (values & 0xFFFFFFFF).astype(np.uint64)


@dataclass(frozen=True)
class Stream:
    """A stream of random numbers, keyed by a seed and a name.

    The number at an index and row never changes, whatever else is drawn: there is no hidden state,
    and equal arguments give equal numbers. Draws before a run come from such streams, so that
    adding a population does not change another's draws.

    Parameters
    ----------
    seed : int
    name : str

    Examples
    --------
    One number for each pair of neurons::

        stream.uniform(targets, row=sources[:, None])
    """

    seed: int
    name: str

    @property
    def key(self) -> Key:
        """The two words of this stream."""
        return key_of(self.seed, self.name)

    def child(self, name: str) -> Stream:
        """Return the stream of a part, whose draws are independent of those of this stream.

        Parameters
        ----------
        name : str
            Appended to the name of this stream, after a slash.
        """
        return Stream(self.seed, f"{self.name}/{name}")

    def uniform(self, index: ArrayLike, row: ArrayLike = 0) -> NDArray[np.float64]:
        """Draw uniformly from (0, 1), both ends excluded.

        Parameters
        ----------
        index : integers
            Which number of the row.
        row : integers that broadcast with the indices
            Usually a neuron, so that its draws do not depend on those of others.

        Returns
        -------
        array of the broadcast shape
        """
        return uniform(self.key, index, row)

    def normal(self, index: ArrayLike, row: ArrayLike = 0) -> NDArray[np.float64]:
        """Draw from the standard normal distribution, cut at 6.77.

        Parameters
        ----------
        index, row : integers
            As for `uniform`.

        Returns
        -------
        array of the broadcast shape
        """
        return normal(self.key, index, row)


def user_stream(
    seed: int,
    owner: str,
    name: str,
    *,
    of: Literal["population", "projection"],
) -> Stream:
    """Return the stream of a parameter or variable, which shares no number with the engine's.

    Parameters
    ----------
    seed : int
    owner : str
        Name of the population or projection.
    name : str
        The user's: a rule may call a variable ``edges``, as the engine calls its draws of edges.
    of : "population" or "projection"
        The kind of the owner.
    """
    # No name of a user or of the engine has this form, and other names keep their streams.
    return Stream(
        seed, f"{owner}/own {name}" if _OF_ENGINE[of].fullmatch(name) else f"{owner}/{name}"
    )
