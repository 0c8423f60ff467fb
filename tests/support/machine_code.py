"""How tests read the machine code of a kernel."""

import re

from neurosim.backends.cpu import cache
from neurosim.compiled.cache import load

# two or more numbers at once, on x86 and on ARM
PACKED = r"\bv?(?:add|sub|mul|div){0}\b|\bf(?:add|sub|mul|div)\s+v\d+\.{1}"


def packed(source: str, kernel: str = "integrate", *, x86: str = "pd", arm: str = "2d") -> int:
    """Return how many packed instructions (of doubles unless said otherwise) the machine code of a
    kernel has.
    """
    return len(
        re.findall(
            PACKED.format(x86, arm),
            getattr(load("kernels", source, engine=cache.HERE), kernel)._library.get_asm_str(),
        )
    )
