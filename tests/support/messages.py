"""How tests read a message: its four parts, in order."""

import re


def parts(*literal: str) -> str:
    """Return a pattern for `pytest.raises(match=...)`: where, what was found, what was expected,
    what to do, each word for word.
    """
    return "(?s)" + ".*".join(re.escape(part) for part in literal)
