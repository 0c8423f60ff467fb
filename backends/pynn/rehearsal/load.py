"""The compiled time loop, from the cache on disk if it is there."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

from neurosim.compiled import cache

from . import loop

HERE = Path(__file__).parent


def load_loop() -> Any:
    """Return `loop.run_steps` with machine code that is kept for other processes."""
    arguments = ", ".join(signature(loop.run_steps.py_func).parameters)
    # A wrapper in generated source, since only that keeps its machine code.
    source = (
        '"""The time loop of the rehearsal."""\n\nfrom neurosim.compiled.cached import njit\n'
        f"from {loop.__name__} import run_steps as body\n\n\n"
        f"@njit\ndef run_steps({arguments}):\n    return body({arguments})\n"
    )
    return cache.load("rehearsal", source, engine=HERE).run_steps
