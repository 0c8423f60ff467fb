"""How static projections are summed on a CUDA device: folded by targets or pushed by sources."""

from __future__ import annotations

from typing import Literal

Delivery = Literal["pull", "push"]

# A fold reads 8 bytes per edge in each step: of this many, on an H200, as long as one launch takes.
MOST_FOLDED = 2**21


def is_pushed(edges: int, delivery: Delivery | None) -> bool:
    """Return whether a static projection is pushed in fixed point, and not folded.

    Parameters
    ----------
    edges : int
    delivery : "pull", "push" or None
        None: by the number of its edges.
    """
    return edges > MOST_FOLDED if delivery is None else delivery == "push"
