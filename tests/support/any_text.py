"""Any text, for tests that draw it."""

from hypothesis import strategies as st

# `st.text()` first sorts all of Unicode, which takes longer than all else that its tests do.
_characters = st.one_of(st.integers(0, 0x7F), st.integers(0, 0x10FFFF)).map(chr)


def any_text(most: int) -> st.SearchStrategy[str]:
    """Return texts of up to `most` characters of any kind, among them halves of surrogates."""
    return st.lists(_characters, max_size=most).map("".join)
