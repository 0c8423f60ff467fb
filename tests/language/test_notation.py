"""Cells and rules as text and as mathematics: exact texts of two, and every one of the library."""

from __future__ import annotations

import pytest

import neurosim as ns
from neurosim.expr.mathematics import latex, latex_name
from neurosim.expr.parse import Parser
from neurosim.models import cells, plasticity

LIF = """\
cell 'lif'
  dv/dt = (rest - v + resistance * (synaptic + current)) / tau : mV
  dsynaptic/dt = -synaptic / tau_syn : nA
  spike: v >= threshold
  after spike: v = reset
  refractory: refractory, freezes v
  receives: synaptic : nA into synaptic
  initial: v = rest
  parameters: tau = 20 ms, tau_syn = 5 ms, rest = -70 mV, threshold = -50 mV, refractory = 2 ms,
    resistance = 100 Mohm, current = 0 nA, reset = rest"""

STDP = """\
rule 'stdp'
  edge: w : nA
  pre: dx/dt = -x / tau_plus : 1
  post: dy/dt = -y / tau_minus : 1
  on post:
    w = clip(w + a_plus * x, w_min, w_max)
    y += 1
  on pre:
    w = clip(w - a_minus * y, w_min, w_max)
    out += w
    x += 1
  parameters: a_plus = 0.01 nA, a_minus = 0.012 nA, tau_plus = 20 ms, tau_minus = 20 ms,
    w_min = 0 nA, w_max = 1 nA"""

CELLS = {
    "lif": cells.lif,
    "lif_delta": cells.lif_delta,
    "lif_exponential": cells.lif_exponential,
    "lif_conductance": cells.lif_conductance,
    "lif_alpha": cells.lif_alpha,
    "lif_conductance_alpha": cells.lif_conductance_alpha,
    "adex_exponential": cells.adex_exponential,
    "adex_conductance": cells.adex_conductance,
    "leaky_readout": cells.leaky_readout,
    "izhikevich": lambda: cells.izhikevich(synapse="exponential", noise="1 mV/ms"),
    "izhikevich_2007": cells.izhikevich_2007,
    "hodgkin_huxley": cells.hodgkin_huxley,
}
RULES = {
    "stdp": plasticity.stdp,
    "triplet_stdp": plasticity.triplet_stdp,
    "reward_stdp": plasticity.reward_stdp,
    "inhibitory_stdp": plasticity.inhibitory_stdp,
    "short_term": lambda: plasticity.short_term(tau_facil="500 ms"),
    "three_factor": plasticity.three_factor,
}


def expression(text: str):
    return Parser("a test").expression(text, part="text")


def test_a_cell_prints_its_equations():
    assert str(cells.lif()) == repr(cells.lif()) == LIF


def test_a_rule_prints_its_variables_and_handlers():
    assert str(plasticity.stdp()) == repr(plasticity.stdp()) == STDP


@pytest.mark.parametrize("name", [*CELLS, *RULES])
def test_every_cell_and_rule_of_the_library_prints(name):
    described = CELLS[name]() if name in CELLS else RULES[name]()
    text, markdown = repr(described), described._repr_markdown_()
    assert text.splitlines()[0] == f"{'cell' if name in CELLS else 'rule'} '{name}'"
    assert markdown.count(r"\begin{aligned}") == markdown.count(r"\end{aligned}") > 0
    assert markdown.count("{") == markdown.count("}")
    for parameter in described.parameters:
        assert f"{parameter.name} = " in text and f"`{parameter.name}`" in markdown


def test_the_library_above_is_complete():
    public = {name for name, value in vars(cells).items() if ns.Cell is class_made_by(value)}
    assert public == set(CELLS)
    public = {name for name, value in vars(plasticity).items() if ns.Rule is class_made_by(value)}
    assert public == set(RULES)


def class_made_by(value: object) -> type | None:
    """Return the class that a public function of the library makes."""
    annotation = getattr(value, "__annotations__", {}).get("return")
    private = getattr(value, "__name__", "_").startswith("_")
    return None if private else {"Cell": ns.Cell, "Rule": ns.Rule}.get(annotation)


def test_values_are_printed_in_the_unit_of_the_user():
    cell = ns.Cell(
        "dx/dt = rate - x / tau : 1",
        parameters={
            "rate": "5 Hz",
            "tau": ns.Parameter("s", "300 ms"),
            "several": ns.Parameter("mV", [1.0, 2.0]),
            "drawn": ns.uniform("1 mV", "2 mV"),
            "over": ns.table([1.0, 2.0, 3.0], every="1 ms"),
            "text": "2 * tau",
        },
        initial={"x": 0.5},
    )
    text = repr(cell)
    for part in (
        "rate = 5 Hz",
        "tau = 0.3 s",
        "several = an array of shape (2,)",
        "drawn = uniform(low=1 mV, high=2 mV)",
        "over = a table of 3 rows",
        "text = 2 * tau",
        "initial: x = 0.5",
    ):
        assert part in text


def test_statements_signals_and_values_per_edge_are_printed():
    rule = ns.Rule(
        edge="w : nA",
        handlers=[("pre", "out += w"), ("trial_end", "w = w * decay")],
        parameters={"decay": ns.Parameter("1", [0.5, 0.6], per="edge")},
    )
    assert "on trial_end: w = w * decay" in repr(rule)
    assert "decay = an array of shape (2,) per edge" in repr(rule)


def test_definitions_of_a_rule_stand_in_its_text_and_in_its_mathematics():
    rule = ns.Rule(
        edge="w : nA",
        definitions="change = w * rate : nA",
        handlers=[("pre", "out += w; w += change")],
        parameters={"rate": 0.1},
    )
    assert "definitions: change = w * rate : nA" in repr(rule)
    assert r"\mathrm{change} &= w \, \mathrm{rate}" in rule._repr_markdown_()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a / b", r"\frac{a}{b}"),
        ("-x / tau", r"-\frac{x}{\tau}"),
        ("y * (-x / tau)", r"y \, \left( -\frac{x}{\tau} \right)"),
        ("(a + b) * c", r"\left( a + b \right) \, c"),
        ("a - (b - c)", r"a - \left( b - c \right)"),
        ("2 * 3", r"2 \cdot 3"),
        ("(a / b) ** 2", r"\left( \frac{a}{b} \right)^{2}"),
        ("(-a) ** 2", r"\left( -a \right)^{2}"),
        ("a ** 2 ** n", r"a^{2^{n}}"),
        ("pow(a * b, c)", r"\left( a \, b \right)^{c}"),
        ("1e-5 * x", r"1 \cdot 10^{-5} \, x"),
        ("sqrt(x) + abs(y)", r"\sqrt{x} + \left| y \right|"),
        ("floor(log(x))", r"\left\lfloor \ln\left( x \right) \right\rfloor"),
        ("pi * xi", r"\pi \, \xi"),
        ("normal() + uniform()", r"\mathcal{N}(0, 1) + \mathcal{U}(0, 1)"),
        ("rate(t)", r"\mathrm{rate}(t)"),
        ("not (a >= b and c != d)", r"\neg \left( a \ge b \wedge c \ne d \right)"),
        (
            "where(a > 0, b, clip(c, 0, 1))",
            r"\begin{cases} b & \mathrm{if}\; a > 0 \\ "
            r"\mathrm{clip}\left( c, 0, 1 \right) & \mathrm{otherwise} \end{cases}",
        ),
    ],
)
def test_expressions_become_mathematics(text, expected):
    assert latex(expression(text)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v", "v"),
        ("tau", r"\tau"),
        ("rest", r"\mathrm{rest}"),
        ("tau_syn", r"\tau_{\mathrm{syn}}"),
        ("o1", "o_{1}"),
        ("a2_plus", r"a_{2, \mathrm{plus}}"),
        ("x_i", "x_{i}"),
    ],
)
def test_names_become_mathematics(name, expected):
    assert latex_name(name) == expected
