"""Random connectors, and their edges as pairs, for the tests of connectors."""

import numpy as np

from neurosim.draws.sampling import index_type
from neurosim.draws.streams import Stream
from neurosim.network.wiring.connectors import (
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
)

STREAM = Stream(7, "a to b")
RANDOM = [
    fixed_probability(0.3),
    fixed_probability(0.9, autapses=False),
    fixed_outdegree(4, autapses=False),
    fixed_outdegree(14),
    fixed_outdegree(30, multapses=True),
    fixed_indegree(4),
    fixed_indegree(13, autapses=False),
    fixed_indegree(30, autapses=False, multapses=True),
    fixed_total_number(40),
    fixed_total_number(200, autapses=False),
    fixed_total_number(400, autapses=False, multapses=True),
]


def joined(connector, sources, targets, *, recurrent=False, stream=STREAM):
    """Return the edges as a list of (source, target), absolute, after checking that they are well
    formed.
    """
    sources = np.arange(sources) if isinstance(sources, int) else np.asarray(sources)
    targets = np.arange(targets) if isinstance(targets, int) else np.asarray(targets)
    edges = connector.connect(stream, sources, targets, recurrent=recurrent)
    assert (edges.pointer.dtype, edges.target.dtype, edges.source().dtype) == (
        np.int64,
        index_type(targets.size),
        np.int32,
    )
    assert edges.pointer.shape == (sources.size + 1,)
    assert edges.pointer[0] == 0
    assert edges.pointer[-1] == edges.target.size
    for row in np.split(edges.target, edges.pointer[1:-1]):
        assert np.all(np.diff(row.astype(int)) >= 0)
    return list(zip(sources[edges.source()].tolist(), targets[edges.target].tolist(), strict=True))
