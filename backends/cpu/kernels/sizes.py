"""Sizes and marks on which the host and compiled loops agree; it needs no compiler."""

from __future__ import annotations

# ---- the time loop

# Numbers that threads share, each on a cache line of its own. Stop requests rotate through three
# counters (step modulo 3): a fast thread may wait at the barrier of step k + 1 while a slow one
# still has to read the request of step k.
THREADS = 0
STAGES = 1  # phases that integrate populations, one after the other
WAITED = 8
REQUESTS = 16
FAILED = 40
# From here on, for each thread, the number of barriers that it has reached; beside it, whether the
# reset of the partition of this number has made a value that is not finite.
ARRIVED = 48
WRONG = 49

# A thread adds one of these to a request: the sum tells the four reasons apart.
FULL = 1  # a buffer of spikes
LATE = 1 << 16  # threads wait long for each other
NOT_FINITE = 1 << 32
RESET_NOT_FINITE = 1 << 48  # in the step before

# ---- closed forms

STEPS = 1 << 14  # in a table; later ones, which few edges read, are computed

# ---- draws

BLOCK = 256  # uniform numbers that are drawn together
QUANTILES = 1024  # 880 for the largest mean lie below the largest uniform number
CELLS = 1024  # equal parts of (0, 1); a power of two, so that products with it are exact
TOGETHER = 8  # levels that are compared with numbers at a time, a power of two
LANES = 16  # numbers that are compared with levels at a time
MOST_LEVELS = 32  # that all numbers are compared with; where more are likely, tables are faster
ROOM = (
    BLOCK,  # uniform numbers
    1 + QUANTILES,  # the mean that quantiles are of, and the quantiles
    CELLS,  # where the search for a count begins
    BLOCK // 2,  # words that are drawn together, of 4 bytes
    BLOCK // 2,  # their counts, of 4 bytes
    1 + MOST_LEVELS,  # how many levels are compared, and the levels, of 4 bytes
)

# ---- deferred post-spikes

DEPTH = 32  # spikes of a target that can be noted
CHUNK = 1024  # edges that catch up together

# ---- late events

SHORTS = 32  # delays that are compared at a time
# Events of a step are not listed if they are more than one in so many edges, and more than this:
# few take little memory, and a search costs a look at every delay.
BURST = 8
LEAST_BURST = 1 << 16
EVENTS_PER_CHUNK = 16  # of the pool, a power of two; chunk 0 is none
NEVER = -1 << 62  # before any step
# State of a pool: first chunk of those that were freed, the last that was ever taken, and the
# number of chunks.
FREE, FRESH, CHUNKS = range(3)
