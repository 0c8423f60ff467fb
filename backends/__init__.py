"""Engines that run networks; each folder is one backend, found by its entry point."""

# The folder lies beside the package in a checkout, so that it can be imported by two names.
if __name__ != "neurosim.backends":
    raise ImportError(
        f"imported as {__name__!r}, which would load every backend twice; "
        "write 'import neurosim.backends'"
    )
