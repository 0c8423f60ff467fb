"""Rung 1, expressions: trees print and parse back to themselves, keep the order as written, and
text is never evaluated as Python.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.any_text import any_text
from support.examples import examples
from support.messages import parts

from neurosim.errors import ModelError, NeurosimError
from neurosim.expr.dimensions import WORDS, dimension, expect, resolve_units
from neurosim.expr.evaluate import evaluate
from neurosim.expr.functions import FUNCTIONS
from neurosim.expr.linear import affine
from neurosim.expr.parse import ARITY, Parser, lines
from neurosim.expr.printing import show, show_statement
from neurosim.expr.tree import (
    Assign,
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    draws,
    inline,
    names,
    rewrite,
    substitute,
    walk,
)
from neurosim.units import CURRENT, NUMBER, RATE, TIME, VOLTAGE, multiply, unit

NAMES = ("v", "w", "tau", "rest", "t", "dt", "i", "N", "h2", "x_pre")
UNITS = ("ms", "mV", "nA", "Hz", "uS", "Mohm")


def parse(text: str) -> Expr:
    return Parser("cell 'c'").expression(text, part="equation of v")


def renumbered(tree: Expr) -> Expr:
    """Number the draws in order of appearance, as the parser does."""
    keys = iter(range(1000))
    return rewrite(
        tree, lambda node: Draw(node.kind, next(keys)) if isinstance(node, Draw) else node
    )


numbers = st.one_of(
    st.integers(0, 2**60).map(float), st.floats(0, allow_infinity=False, allow_nan=False)
).map(lambda x: Number(abs(x)))
leaves = st.one_of(
    numbers,
    st.sampled_from(NAMES).map(Name),
    st.sampled_from(["uniform", "normal", "xi"]).map(lambda distribution: Draw(distribution, 0)),
    st.sampled_from(["rate", "current"]).map(Lookup),
)


def operations(inner):
    return st.one_of(
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(
            Binary,
            st.sampled_from(
                ["+", "-", "*", "/", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
            ),
            inner,
            inner,
        ),
        st.sampled_from(sorted(ARITY)).flatmap(
            lambda f: st.builds(Call, st.just(f), st.tuples(*[inner] * ARITY[f]))
        ),
    )


trees = st.recursive(leaves, operations, max_leaves=40).map(renumbered)


@settings(max_examples=examples(500), deadline=None)
@given(trees)
def test_a_tree_prints_and_parses_back_to_itself(tree):
    assert parse(show(tree)) == tree


@settings(max_examples=examples(200), deadline=None)
@given(
    st.recursive(
        st.one_of(leaves, st.sampled_from(UNITS).map(lambda u: Number(unit(u).size, u))),
        operations,
        max_leaves=20,
    ).map(renumbered)
)
def test_names_of_units_come_back_as_numbers_with_their_unit(tree):
    def resolve(parsed: Expr) -> Expr:
        return rewrite(
            parsed,
            lambda n: (
                Number(unit(n.name).size, n.name) if isinstance(n, Name) and n.name in UNITS else n
            ),
        )

    assert resolve(parse(show(tree))) == tree


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(["v", "out", "w"]), st.sampled_from(["=", "+=", "-=", "*=", "/="]), trees)
def test_a_statement_prints_and_parses_back_to_itself(target, op, tree):
    statement = Assign(target, op, tree)
    assert Parser("rule 'r'").statements(show_statement(statement), part="step") == (statement,)


# Python's whole numbers are exact and have no signed zero, so the text that Python computes has
# none of them.
arithmetic = st.recursive(
    st.one_of(
        st.floats(0.1, 1e6).filter(lambda x: x % 1).map(Number),
        st.sampled_from(["v", "w"]).map(Name),
    ),
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/"]), inner, inner),
        st.builds(Unary, st.just("-"), inner),
    ),
    max_leaves=25,
)


@settings(max_examples=examples(300), deadline=None)
@given(arithmetic, st.floats(-10, 10), st.floats(-10, 10))
def test_the_order_of_operations_is_that_of_the_written_text(tree, v, w):
    """Python computes the printed text; the same bits must come out, for no operation may move."""
    scope = {"__builtins__": {}, "v": np.float64(v), "w": np.float64(w)}
    with np.errstate(all="ignore"):
        try:
            written = float(eval(show(tree), scope))  # a text that this test has made
        except ZeroDivisionError:  # Python raises between plain numbers, where IEEE 754 has a value
            return
    ours = float(evaluate(tree, scope.__getitem__))
    assert ours == written or math.isnan(ours) and math.isnan(written)


def test_a_swapped_operand_is_seen_by_the_comparison_of_trees():
    assert parse("v - w") != parse("w - v")
    assert parse("v + w + tau") != parse("v + (w + tau)")
    assert show(parse("v - (w - tau)")) == "v - (w - tau)"
    assert show(parse("(v - w) - tau")) == "v - w - tau"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-v ** 2", "-(v ** 2)"),
        ("v ** -w ** 2", "v ** (-(w ** 2))"),
        ("not v < w", "not (v < w)"),
        ("v and w or tau", "(v and w) or tau"),
        ("v + w < tau and w", "((v + w) < tau) and w"),
        ("v and w and tau", "(v and w) and tau"),
        ("v / w * tau", "(v / w) * tau"),
        ("+v", "v"),
        ("exp(v)**2", "(exp(v)) ** 2"),
        ("2 ** 3 ** 2", "2 ** (3 ** 2)"),
        ("- - v", "-(-v)"),
        ("0x10", "16"),
        ("pi", "3.141592653589793"),
    ],
)
def test_brackets_say_what_precedence_means(text, same):
    assert parse(text) == parse(same)


def test_every_draw_of_the_text_has_a_stream_of_its_own():
    tree = parse("uniform() + uniform() * normal() + xi")
    assert [(d.kind, d.key) for d in sorted(draws(tree), key=lambda d: d.key)] == [
        ("uniform", 0),
        ("uniform", 1),
        ("normal", 2),
        ("xi", 3),
    ]
    parser = Parser("cell 'c'")
    first = parser.expression("uniform()", part="spike")
    second = parser.expression("uniform()", part="step")
    assert first != second


# ---- values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("v ** 3", (1.1 * 1.1) * 1.1),
        ("v ** -2", 1.0 / (1.1 * 1.1)),
        ("v ** 0", 1.0),
        ("v ** 1", 1.1),
        ("v ** 2.0", 1.1 * 1.1),
        ("v ** 0.5", float(FUNCTIONS["pow"](1.1, 0.5))),
        ("v ** w", float(FUNCTIONS["pow"](1.1, -2.5))),
        ("pow(v, 3)", float(FUNCTIONS["pow"](1.1, 3.0))),
        ("v < w", 0.0),
        ("v > w", 1.0),
        ("v == v", 1.0),
        ("v != v", 0.0),
        ("v and 0", 0.0),
        ("0 or w", 1.0),
        ("not v", 0.0),
        ("not 0", 1.0),
        ("where(v > 1, w, 7)", -2.5),
        ("clip(w, -1, 1)", -1.0),
        ("min(v, w)", -2.5),
        ("max(v, w)", 1.1),
        ("abs(w)", 2.5),
        ("floor(w)", -3.0),
        ("1 / 0", math.inf),
        ("exp(0)", 1.0),
        ("2 * (v > 1) + 1", 3.0),
    ],
)
def test_expressions_have_the_value_that_the_language_says(text, value):
    assert (
        float(evaluate(parse(text), {"v": np.float64(1.1), "w": np.float64(-2.5)}.__getitem__))
        == value
    )


def test_evaluation_works_on_arrays_as_on_numbers():
    v = np.array([-1.0, 0.5, 2.0])
    assert list(evaluate(parse("where(v > 0 and v < 1, v ** 2, -v)"), {"v": v}.__getitem__)) == [
        1.0,
        0.25,
        -2.0,
    ]


def test_names_are_listed_and_replaced_by_expressions_and_definitions():
    tree = parse("v + rate(t) * where(w > 0, tau, 1)")
    assert names(tree) == {"v", "rate", "w", "tau"}
    assert (
        show(substitute(tree, {"v": parse("w - 1"), "w": parse("2")}))
        == "w - 1 + rate(t) * where(2 > 0, tau, 1)"
    )
    assert show(inline(parse("a + 1"), {"a": parse("b * 2"), "b": parse("v")})) == "v * 2 + 1"
    assert [type(n).__name__ for n in walk(parse("-(v + 1)"))] == [
        "Name",
        "Number",
        "Binary",
        "Unary",
    ]


def test_the_affine_split_finds_coefficients_or_says_that_there_are_none():
    coefficients, rest = affine(parse("(rest - v + 2 * w) / tau"), {"v", "w"})
    values = {"rest": 3.0, "tau": 4.0, "v": 0.3, "w": 0.7}.__getitem__
    assert (
        float(evaluate(coefficients["v"], values)),
        float(evaluate(coefficients["w"], values)),
        float(evaluate(rest, values)),
    ) == (-0.25, 0.5, 0.75)
    for text in ("v * v", "exp(v)", "1 / v", "v ** 2", "where(v > 0, 1, 2)"):
        assert affine(parse(text), {"v"}) is None


# ---- text is never evaluated as Python


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "v.real",
        "(lambda: 1)()",
        "f'{v}'",
        "v[0]",
        "(y := 3)",
        "1 if v else 2",
        "'a'",
        "1j",
        "True",
        "None",
        "...",
        "exp(*v)",
        "exp(x=v)",
        "v, v",
        "[v]",
        "{v}",
        "{v: 1}",
        "[x for x in v]",
        "await v",
        "(yield v)",
        "v | v",
        "v @ v",
        "v << 2",
        "~v",
        "v in w",
        "v is w",
        "exp(t)(t)",
        "vµ",
    ],
)
def test_what_is_outside_the_language_is_refused(text):
    with pytest.raises(
        ModelError,
        match=parts(
            "cell 'c', equation of v: ",
            " is outside the language (names, numbers, + - * / **",
            "exp, log",
            "Write it with",
        ),
    ):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "v +",
        "(v",
        "v v",
        "",
        "v\0",
        "\ud800",
        "v; w",
        "v = w",
        "import os",
        "v\n+ v",
        "1" * 5000,
        "(" * 500 + "v" + ")" * 500,
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text):
    with pytest.raises(
        ModelError,
        match=parts(
            "cell 'c', equation of v: ",
            " cannot be read (",
            "). Write an expression such as '(rest - v) / tau'.",
        ),
    ):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "-" * 150 + "v",
        "-" * 2000 + "v",
        "-" * 100_000 + "v",
        "not " * 50_000 + "v",
        "exp(" * 150 + "v" + ")" * 150,
        "+".join(["v"] * 5000),
        "v" + ".a" * 50_000,
        "**".join(["v"] * 3000),
        " and ".join(["v"] * 500),
        "where(1, " * 150 + "v" + ", 0)" * 150,
    ],
)
def test_deep_nesting_is_a_message_and_no_crash(text):
    with pytest.raises(
        ModelError,
        match=parts(
            "cell 'c', equation of v: ",
            "is nested deeper than 100 operations. Write it in several statements",
        ),
    ) as error:
        parse(text)
    assert len(str(error.value)) < 300


def test_a_hundred_operations_within_each_other_are_allowed():
    tree = parse("+".join(["v"] * 99))
    assert parse(show(tree)) == tree
    assert float(evaluate(tree, lambda name: np.float64(1.0))) == 99.0


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("1e999", "'1e999'"),
        ("v + 1" + "0" * 400, "'1000"),
        ("-1e400 * v", "'1e400' in '-1e400 * v'"),
    ],
)
def test_numbers_beyond_float64_are_refused(text, quoted):
    with pytest.raises(
        ModelError,
        match=parts(
            "cell 'c', equation of v: ",
            quoted,
            "is larger than any number that can be computed with. Write a smaller one.",
        ),
    ):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 < v < 2", ("'1 < v < 2' chains comparisons.", "Join two comparisons with 'and'.")),
        (
            "foo(v)",
            (
                "'foo(v)': there is no function 'foo'.",
                "Did you mean 'floor'?",
                "The functions are: abs,",
            ),
        ),
        (
            "w + expp(v)",
            (
                "'expp(v)' in 'w + expp(v)': there is no function 'expp'.",
                "Did you mean 'exp' or 'exprel'?",
            ),
        ),
        ("t(t)", ("'t(t)': there is no function 't'.",)),
        ("xi(t)", ("'xi(t)': there is no function 'xi'.",)),
        ("expm1_ratio(v)", ("there is no function 'expm1_ratio'",)),
        ("exp()", ("'exp()': exp takes 1 argument(s), found 0.", "Give as many.")),
        ("min(v)", ("min takes 2 argument(s), found 1.",)),
        (
            "uniform(2)",
            ("'uniform(2)': uniform() takes no arguments", "scale it, such as '2*uniform()'."),
        ),
    ],
)
def test_calls_and_comparisons_that_are_wrong_are_refused(text, message):
    with pytest.raises(ModelError, match=parts("cell 'c', equation of v: ", *message)):
        parse(text)


@pytest.mark.parametrize("text", [5, None, b"v", ["v"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(
        ModelError,
        match=parts(
            "cell 'c', equation of v: found", repr(text), "expected text. Put it between quotes."
        ),
    ):
        parse(text)


def test_nothing_is_executed(tmp_path: Path):
    target = tmp_path / "made"
    for text in (
        f"__import__('pathlib').Path({str(target)!r}).touch()",
        f"open({str(target)!r}, 'w')",
        f"exec('open({str(target)!r}, \"w\")')",
    ):
        with pytest.raises(ModelError):
            parse(text)
        with pytest.raises(ModelError):
            unit(text)
    assert not target.exists()


@settings(max_examples=examples(400), deadline=None)
@given(
    st.one_of(
        any_text(40),
        st.text(alphabet="vw()+-*/<>=!. 0123456789e\n;:#,[]{}'\"_t", max_size=60),
    )
)
def test_any_text_gives_a_tree_or_a_message(text):
    parser = Parser("cell 'c'")
    for read in (
        lambda: parser.expression(text, part="spike"),
        lambda: parser.statements(text, part="step"),
        lambda: parser.equations(text),
    ):
        try:
            read()
        except NeurosimError as error:
            assert str(error).startswith("cell 'c'")


# ---- statements, equations and names


def test_lines_end_at_semicolons_and_line_ends_outside_brackets_and_comments_are_left_out():
    assert [
        line.strip() for line in lines("a = 1; b = max(2,\n  3)  # c = 4; d = 5\n\n e += 1 # end")
    ] == ["a = 1", "b = max(2,   3)", "e += 1"]


@pytest.mark.parametrize(
    "text", ["v == 1", "v **= 2", "v", "1 = v", "v.x = 1", "a, b = 1", "del v", "v := 1"]
)
def test_what_is_no_statement_is_refused(text):
    with pytest.raises(ModelError, match=parts("rule 'r', handler 'pre': ", text)) as error:
        Parser("rule 'r'").statements(text, part="handler 'pre'")
    assert "Write" in str(error.value)


@pytest.mark.parametrize("name", ["t", "dt", "N", "exp", "uniform", "lambda", "and"])
def test_statements_do_not_assign_to_words_of_the_language(name):
    with pytest.raises(
        ModelError,
        match=parts(
            "rule 'r', step: ",
            f"'{name} = 1'",
            f"assigns to {name!r}, a word of the language. Use another name.",
        ),
    ):
        Parser("rule 'r'").statements(f"{name} = 1", part="step")


def test_the_three_forms_of_an_equation():
    derivative, definition, event = Parser("cell 'c'").equations(
        "dv/dt = -v / tau : mV; x = v * 2 : mV\n u : 1"
    )
    assert (derivative.name, derivative.derivative, show(derivative.tree), derivative.unit) == (
        "v",
        True,
        "-v / tau",
        "mV",
    )
    assert (definition.name, definition.derivative, show(definition.tree)) == ("x", False, "v * 2")
    assert (event.name, event.derivative, event.tree, event.unit) == ("u", False, None, "1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dv/dt = 1",
            ("equation 'dv/dt = 1' has no unit.", "End it with ': unit', such as ': mV'"),
        ),
        ("v + 1 : mV", ("'v + 1 : mV' is not an equation.", "Write 'dx/dt = expression : unit'")),
        ("dv/dt : mV", ("'dv/dt : mV' is not an equation.", "Write 'dx/dt = expression : unit'")),
        (
            "dt : 1",
            (
                "equation 'dt' cannot have this name: it is a word of the language.",
                "Choose another.",
            ),
        ),
        (
            "lambda : 1",
            (
                "equation 'lambda' cannot have this name: it is a word of the language.",
                "Choose another.",
            ),
        ),
        ("uniform : 1", ("equation 'uniform' cannot have this name", "Choose another.")),
        (
            "_x : 1",
            (
                "equation '_x' cannot have this name: "
                "expected letters without accents, digits and '_', beginning with a letter.",
                "Choose another.",
            ),
        ),
        (
            "xµ : 1",
            (
                "equation 'xµ' cannot have this name: expected letters without accents",
                "Choose another.",
            ),
        ),
    ],
)
def test_what_is_no_equation_is_refused(text, message):
    with pytest.raises(ModelError, match=parts("cell 'c': ", *message)):
        Parser("cell 'c'").equations(text)


# ---- units of expressions

KNOWN = WORDS | {"v": VOLTAGE, "rest": VOLTAGE, "tau": TIME, "g": CURRENT, "x": NUMBER, "h": NUMBER}
HERE = "cell 'c', equation of v"


def measured(text: str):
    return dimension(resolve_units(parse(text), KNOWN, where=HERE, noise=True), KNOWN, where=HERE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(rest - v) / tau", multiply(VOLTAGE, TIME, -1)),
        ("v + 1 * mV", VOLTAGE),
        ("exp(-dt / tau)", NUMBER),
        ("v ** 2", multiply(NUMBER, VOLTAGE, 2)),
        ("v ** -1", multiply(NUMBER, VOLTAGE, -1)),
        ("sqrt(v * v)", VOLTAGE),
        ("where(v > rest, v, 0)", VOLTAGE),
        ("clip(v, rest, 3 * mV)", VOLTAGE),
        ("v > rest and x", NUMBER),
        ("not (v > rest)", NUMBER),
        ("0", None),
        ("0 * v", None),
        ("v + 0", VOLTAGE),
        ("max(0, v)", VOLTAGE),
        ("abs(v)", VOLTAGE),
        ("xi * sqrt(tau)", NUMBER),
        ("uniform()", NUMBER),
        ("x / tau", RATE),
        ("1 * Hz", RATE),
        ("i / N", NUMBER),
        ("t / ms", NUMBER),
        ("h", NUMBER),
    ],
)
def test_expressions_have_the_dimension_that_follows_from_their_parts(text, expected):
    """A name of the user comes before a unit: ``h`` is the gate and not an hour."""
    assert measured(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "v + tau",
            (
                "'v + tau': 'v' is a voltage (mV) but 'tau' is a time (ms).",
                "Both must have one unit: multiply or divide one of them.",
            ),
        ),
        (
            "v + 1",
            (
                "'v + 1': 'v' is a voltage (mV) but '1' is a plain number.",
                "Both must have one unit",
            ),
        ),
        ("max(v, x)", ("'max(v, x)': 'v' is a voltage (mV) but 'x' is a plain number.",)),
        ("clip(v, 0, tau)", ("'v' is a voltage (mV) but 'tau' is a time (ms)",)),
        ("v < g", ("'v < g': 'v' is a voltage (mV) but 'g' is a current (nA).",)),
        (
            "exp(v)",
            (
                "'exp(v)': 'v' is a voltage (mV), but a plain number is expected.",
                "Divide it by its unit.",
            ),
        ),
        (
            "floor(v)",
            (
                "'floor(v)': 'v' is a voltage (mV), but a plain number is expected.",
                "Divide it by its unit.",
            ),
        ),
        ("v and x", ("'v and x': 'v' is a voltage (mV), but a plain number is expected.",)),
        ("not v", ("'not v': 'v' is a voltage (mV), but a plain number is expected.",)),
        (
            "where(v, 1, 2)",
            ("'where(v, 1, 2)': 'v' is a voltage (mV), but a plain number is expected.",),
        ),
        ("2 ** v", ("'2 ** v': 'v' is a voltage (mV), but a plain number is expected.",)),
        (
            "v ** x",
            (
                "'v ** x': 'v' is a voltage (mV); a quantity with a unit takes only a literal "
                "exponent up to 64.",
                "Divide it by its unit.",
            ),
        ),
        ("v ** 1e300", ("a quantity with a unit takes only a literal exponent up to 64",)),
        (
            "taw + 1",
            (
                "there is no name 'taw'. Did you mean 'tau'?",
                "The names are: N, dt, g, h, i, rest, step, t, tau, v, x.",
            ),
        ),
        (
            "tau(t)",
            ("there is no table 'tau'.", "Read it without (t), or make it a parameter of a cell."),
        ),
        ("v / (1 - 1)", ()),
        ("1 / 0 * v", ("'1 / 0' is not finite, expected a number.", "Correct it.")),
        ("log(0) + x", ("'log(0)' is not finite",)),
    ],
)
def test_unlike_things_are_not_added_compared_or_given_to_a_function(text, message):
    if not message:
        assert measured(text) == VOLTAGE  # what names make is looked at when it runs
        return
    with pytest.raises(ModelError, match=parts(f"{HERE}: ", *message)):
        measured(text)


def test_an_equation_of_another_unit_is_refused():
    message = (
        f"{HERE}: 'v' is a voltage (mV), but a quantity in mV/ms is expected. "
        "Multiply or divide it by what is missing."
    )
    with pytest.raises(ModelError, match=parts(message)):
        expect(parse("v"), KNOWN, multiply(VOLTAGE, TIME, -1), where=HERE)


def test_noise_has_a_meaning_in_equations_of_change_only():
    message = (
        f"{HERE}: 'xi > 0': xi is noise in continuous time, expected only in an equation "
        "'dx/dt = ...'. Write normal()."
    )
    with pytest.raises(ModelError, match=parts(message)):
        resolve_units(parse("xi > 0"), KNOWN, where=HERE)
