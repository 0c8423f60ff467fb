"""The operations of every partition, in the order in which a step executes them."""

from __future__ import annotations

import numpy as np

from ..kernels.operations import WIDTH, Barrier, Operation, row_of
from .tables import Tables


class Schedule:
    """Lists of operations, one per partition, which barriers divide into phases alike."""

    def __init__(self, partitions: int) -> None:
        self._operations: list[list[Operation]] = [[] for _ in range(partitions)]

    def append(self, partition: int, *operations: Operation) -> None:
        """Append operations to a partition."""
        self._operations[partition] += operations

    def begin_phase(self) -> None:
        """Let threads synchronise here."""
        for operations in self._operations:
            operations.append(Barrier())

    def write(self, tables: Tables) -> tuple[np.ndarray, int]:
        """Return the plan that `kernels.loop.run_steps` reads, and the number of phases."""
        rows = []
        for operations in self._operations:
            barriers = [n for n, o in enumerate(operations) if isinstance(o, Barrier)]
            # Rows of equal width: the loop finds operation n by a multiplication.
            block = tables.block([row_of(o) for o in operations], WIDTH)
            rows.append([block, 0, *barriers, len(operations)])
        # All rows are alike in length, since barriers stand in the lists of all partitions.
        width = len(rows[0])
        return tables.block(rows, width), width - 2
