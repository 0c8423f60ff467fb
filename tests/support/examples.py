"""How many random examples a test has: all in `make test`, one in five in `make test-fast`."""

from hypothesis import settings

# The profile of Hypothesis that the option of `make test-fast` loads.
FEW = "few examples"
settings.register_profile(FEW)


def examples(count: int) -> int:
    """Return the number of examples of a test that has `count` of them in `make test`."""
    return -(-count // 5) if settings.get_current_profile_name() == FEW else count
