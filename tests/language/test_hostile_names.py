"""Nothing that a user names becomes code, a formula, an element of HTML, or a path."""

import ast
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.any_text import any_text
from support.examples import examples
from support.messages import parts

import neurosim as ns
from neurosim.backends.cpu.codegen.cells import print_cell
from neurosim.backends.cpu.plan import context
from neurosim.expr.printing import docstring
from neurosim.ir.discretise import cell_program
from neurosim.models import cells

ATTACKS = [
    'x"""\nraise SystemExit\n"""',
    "x'''\nraise SystemExit\n'''",
    'x"',
    "x\\",
    'x\\"""\nimport os\n"""',
    "a\nb",
    "a\rimport os",
    "a\0b",
    "../../etc/passwd\0",
    "<script>alert(1)</script>",
    "$\\input{/etc/passwd}$",
    "a|b",
    "`a`",
    "**a** <b>",
    "ünicode",
    "\ud800",
    " a",
    "",
    "a\n",
    "a" * 200,
]
pieces = st.sampled_from(['"""', "'''", '"', "'", "\\", "\n", "\r", "#", "{", "}", "<", "$", "a"])
hostile = st.one_of(any_text(20), st.lists(pieces, max_size=8).map("".join))


@pytest.mark.parametrize("name", [*ATTACKS, None, 5, ["a"]])
def test_a_name_of_a_cell_or_rule_that_is_more_than_a_name_is_refused(name):
    message = "expected at most 100 letters without accents, digits, spaces or one of"
    for noun, make in (
        ("cell", lambda: ns.Cell("v : 1", name=name)),
        ("rule", lambda: ns.Rule(edge="w : 1", handlers=[("pre", "w = 1")], name=name)),
    ):
        expected = parts(f"{noun} name: found", message, "Choose another name.")
        with pytest.raises(ns.ModelError, match=expected):
            make()


@pytest.mark.parametrize(
    "name", ["lif", "LIF (Gerstner 2014, eq. 1.5)", "a/b: c", "Hodgkin-Huxley"]
)
def test_titles_may_have_spaces_and_run(name, backend):
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 2, ns.Cell("v : 1", step="v = v + 1", name=name))
    rule = ns.Rule(edge="w : 1", handlers=[("step", "w = v_pre")], name=name)
    net.project(p, p, ns.one_to_one(), rule=rule, name="e")
    run = ns.prepare(net, backend=backend)
    run.run("2 ms")
    assert list(run.get("e", "w")) == [2.0, 2.0]


@settings(max_examples=examples(200), deadline=None)
@example('"""')
@example('a"')
@example('""""""')
@example("\\")
@example('\\"""')
@given(hostile)
def test_a_docstring_of_generated_code_holds_any_text_and_nothing_else(text):
    body = ast.parse(docstring(text)).body
    assert len(body) == 1 and isinstance(body[0], ast.Expr)
    assert isinstance(body[0].value, ast.Constant)
    assert body[0].value.value == text


@settings(max_examples=examples(50), deadline=None)
@given(hostile)
def test_printed_source_has_the_same_statements_whatever_the_name(name):
    """Names are checked when a cell is made; here that check is left out."""
    program = cell_program(cells.lif(), ())
    layouts = dict.fromkeys([*program.parameters, *dict(program.hosted)], "scalar")
    plain = print_cell(program, layouts)[0]
    text = print_cell(replace(program, name=name), layouts)[0]
    assert ast.dump(ast.Module(ast.parse(text).body[1:], [])) == ast.dump(
        ast.Module(ast.parse(plain).body[1:], [])
    )


@settings(max_examples=examples(50), deadline=None)
@given(hostile)
def test_names_of_files_have_letters_digits_and_underscores_alone(name):
    stems = []
    kernels = context.Kernels(SimpleNamespace())
    cache = context.cache
    functions, cache.functions = cache.functions, lambda stem, source: stems.append(stem)
    try:
        kernels.load(name, "")
    finally:
        cache.functions = functions
    assert stems[0].isascii() and len(stems[0]) <= 60
    assert all(c.isalnum() or c == "_" for c in stems[0])


@pytest.mark.parametrize("unit", ['mV # """', "mV # <b>", "(mV #\n)", "1 # $x$"])
def test_the_text_of_a_unit_holds_no_comment(unit):
    with pytest.raises(ns.ModelError, match="cannot be read. Write units as products"):
        ns.Cell("v : 1", parameters={"a": ns.Parameter(unit, 1.0)})


def test_mathematics_of_a_cell_opens_no_element_of_html():
    cell = ns.Cell("v : 1", parameters={"a": 1, "b": "where(a <script, 1, 0)", "script": 2})
    assert "<script" not in cell._repr_markdown_()
    assert "a &lt; script" in cell._repr_markdown_()


@pytest.mark.parametrize("word", ["in", "is", "if", "lambda", "None", "True", "class", "not"])
def test_words_of_python_are_refused_where_they_are_declared(word):
    port, handlers = ns.Port("1"), [("pre", "out += 1")]
    declarations = (
        lambda: ns.Cell(f"{word} : 1"),
        lambda: ns.Cell(f"d{word}/dt = 1/ms : 1"),
        lambda: ns.Cell(f"{word} = 1 : 1"),
        lambda: ns.Cell("v : 1", parameters={word: 1}),
        lambda: ns.Cell("v : 1", receives={word: port}),
        lambda: ns.Rule(edge=f"{word} : 1", handlers=handlers),
        lambda: ns.Rule(parameters={word: 1}, handlers=handlers),
        lambda: ns.Rule(definitions=f"{word} = 1 : 1", handlers=handlers),
        lambda: ns.Rule(reads={word: None}, handlers=handlers),
    )
    remedy = parts("it is a word of the language. Choose another.", f"'{word}_' is none.")
    for declare in declarations:
        with pytest.raises(ns.ModelError, match=remedy):
            declare()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lambda / ms", "'lambda' is a word of Python"),
        ("1 if v > 0 else 2", "Write it with where(condition, a, b)."),
        ("2 * in", "'in' is a word of Python"),
    ],
)
def test_words_of_python_in_an_expression_are_named(text, message):
    with pytest.raises(ns.ModelError, match=parts("equation of v", message)):
        ns.Cell(f"dv/dt = {text} : 1")
