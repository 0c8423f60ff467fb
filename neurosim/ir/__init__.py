"""The middle: concrete networks, programs of one time step, and the memory of a run."""
