"""Cells, plasticity rules and published models, written in the language of neurosim."""

# The folder lies beside the package in a checkout, so that it can be imported by two names.
if __name__ != "neurosim.models":
    raise ImportError(
        f"imported as {__name__!r}, which would load every model twice; "
        "write 'import neurosim.models'"
    )
