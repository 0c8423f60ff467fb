"""Measurements of speed: scripts that print tables for people and write JSON; no time fails."""

import os

# The threads of NumPy's and SciPy's linear algebra go on spinning for a while after their work and
# take cores from what is measured.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
