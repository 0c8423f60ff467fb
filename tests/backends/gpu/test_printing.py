"""Trees printed over tensors have the values that the reference finds by walking them."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.expr.evaluate import evaluate
from neurosim.expr.parse import Parser

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors.printing import line, load, words  # noqa: E402

TEXTS = [
    "a + b * 2 - a / b",
    "not a > b",
    "not (a > b and b > 0) or a == 1",
    "(a > b) * 3 + (not b)",
    "where(a, b, 2)",
    "where(a > 0, 1, 2)",
    "where(1, a, b)",
    "a ** 3 - a ** -2 + a ** 0 + 2 ** 5",
    "abs(a) ** 0.5 + abs(a) ** (1 / 3)",
    "a + 1 / 0 - 2 * (3 > 2)",
    "a * (0 / 0 == 0)",
    "-a - -b - -2",
    "a % 3 + b // 0.1",
    "min(a, b) + max(a, 0) + clip(b, -1, 1)",
    "sqrt(abs(a)) + tanh(b) + exp(-a) + log(abs(b) + 1) + sin(a) * cos(b)",
    "truth + spread * values",
]


@pytest.mark.parametrize("text", TEXTS)
def test_printed_source_has_the_bits_of_the_walked_tree(text):
    tree = Parser("test").expression(text, part="value")
    random = np.random.default_rng(2)
    values = {n: random.normal(0, 3, 500) for n in ("a", "b", "truth", "spread", "values")}
    names = ", ".join(f"{n if n in 'ab' else '_user_' + n}=values[{n!r}]" for n in values)
    source = f"def f(values):\n    return g({names})\n"
    arguments = ", ".join(n if n in "ab" else f"_user_{n}" for n in values)
    source += f"def g({arguments}):\n    return {line(tree)}\n"
    f = load(source, words(), title="test")["f"]
    result = f({n: torch.from_numpy(x) for n, x in values.items()})
    expected = np.asarray(evaluate(tree, values.__getitem__), np.float64)
    result = np.broadcast_to(np.asarray(result, np.float64), 500)
    np.testing.assert_array_equal(result, np.broadcast_to(expected, 500))
    assert (np.signbit(result) == np.signbit(np.broadcast_to(expected, 500)))[result == 0].all()
