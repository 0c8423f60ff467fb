"""Cells and rules as text and as mathematics, for `print` and for notebooks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from html import escape

from ..draws.values import Distribution, Table
from ..errors import describe
from ..expr.mathematics import latex, latex_name, latex_statement
from ..expr.parse import short
from ..expr.printing import show, show_statement
from ..expr.tree import Assign, Expr
from ..units import Unit
from .declarations import Constant, Definition, Port, Refractory, State, Value
from .parts import CellParts, RuleParts

_WIDTH = 100


def cell_text(cell: CellParts) -> str:
    """Return the equations of a cell as its user would write them."""
    lines = [f"cell {cell.name!r}"]
    lines += _indent([*map(_state_text, cell.states), *map(_definition_text, cell.definitions)])
    if cell.step is not None:
        lines += _section("step", map(show_statement, cell.step))
    # A cell with step statements has no method.
    elif cell.method is not None:
        lines += _section("method", [_method_text(cell)])
    if cell.spike is not None:
        condition = show(cell.spike)
        lines += _section("spike", [f"crossing({condition})" if cell.crossing else condition])
    lines += _section("after spike", map(show_statement, cell.after_spike))
    if cell.refractory is not None:
        lines += _section("refractory", [_refractory_text(cell.refractory)])
    if cell.pause is not None:
        lines += _section("refractory", [show(cell.pause)])
    lines += _section("receives", (_port_text(name, port) for name, port in cell.receives))
    lines += _section("initial", [", ".join(_initial_texts(cell))] if cell.initial else [])
    return "\n".join(lines + _parameter_lines(cell.parameters))


def rule_text(rule: RuleParts) -> str:
    """Return the variables and handlers of a rule as its user would write them."""
    lines = [f"rule {rule.name!r}"]
    lines += _section("edge", map(_state_text, rule.edge))
    lines += _section("pre", map(_state_text, rule.pre))
    lines += _section("post", map(_state_text, rule.post))
    lines += _section("definitions", map(_definition_text, rule.definitions))
    for handler in rule.handlers:
        lines += _section(f"on {handler.trigger}", map(show_statement, handler.statements))
    lines += _section("method", [rule.method] if rule.method else [])
    lines += _section("reads", (f"{k.symbol} = {describe(k.reference)}" for k in rule.reads))
    return "\n".join(lines + _parameter_lines(rule.parameters))


def cell_markdown(cell: CellParts) -> str:
    """Return the equations of a cell as Markdown with mathematics."""
    rows = [*map(_state_latex, cell.states), *map(_definition_latex, cell.definitions)]
    paragraphs = [f"**cell {cell.name}**", _align(rows)]
    if cell.step is not None:
        paragraphs += ["In each step:", _align(_assignments(cell.step))]
    if cell.spike is not None:
        verb = "Spike when it begins that" if cell.crossing else "Spike if"
        pause = "" if cell.pause is None else f", unless ${latex(cell.pause)}$"
        ending = ":" if cell.after_spike else "."
        paragraphs.append(f"{verb} ${latex(cell.spike)}${pause}{ending}")
    # Without statements this is empty text, which the join leaves out.
    paragraphs.append(_align(_assignments(cell.after_spike)))
    return "\n\n".join(p for p in [*paragraphs, _parameter_table(cell.parameters)] if p)


def rule_markdown(rule: RuleParts) -> str:
    """Return the variables and handlers of a rule as Markdown with mathematics."""
    paragraphs = [f"**rule {rule.name}**"]
    # Readers of mathematics know neurons; pre and post are words of handlers.
    sides = (("edge", rule.edge), ("source neuron", rule.pre), ("target neuron", rule.post))
    for owner, variables in sides:
        if variables:
            paragraphs += [f"Of each {owner}:", _align(map(_state_latex, variables))]
    if rule.definitions:
        paragraphs.append(_align(map(_definition_latex, rule.definitions)))
    for handler in rule.handlers:
        paragraphs += [f"On *{handler.trigger}*:", _align(_assignments(handler.statements))]
    return "\n\n".join(p for p in [*paragraphs, _parameter_table(rule.parameters)] if p)


def _indent(lines: Iterable[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a title with its line beside it, or with several lines below it."""
    lines = list(lines)
    if not lines:
        return []
    if len(lines) == 1:
        return [f"  {title}: {lines[0]}"]
    return [f"  {title}:", *_indent(lines, 4)]


def _state_text(state: State) -> str:
    if state.derivative is None:
        return f"{state.name} : {state.unit.text}"
    return f"d{state.name}/dt = {show(state.derivative)} : {state.unit.text}"


def _definition_text(definition: Definition) -> str:
    return f"{definition.name} = {show(definition.tree)} : {definition.unit.text}"


def _method_text(cell: CellParts) -> str:
    if cell.tolerances is None:
        return cell.method or ""
    return f"adaptive, {describe_tolerances(cell)}"


def describe_tolerances(cell: CellParts) -> str:
    """Return the tolerances of the method ``adaptive``, in the units of the states."""
    if cell.tolerances is None:
        return ""
    absolute = [
        f"{_engine_text(value, cell.state(name).unit)} of {name}"
        for name, value in cell.tolerances.absolute
    ]
    return (
        f"relative {cell.tolerances.relative:g}, absolute {', '.join(absolute)}, "
        f"up to {cell.tolerances.most} sub-steps"
    )


def _port_text(name: str, port: Port) -> str:
    into = f" into {port.into}" if port.into is not None else ""
    return f"{name} : {port.unit}{into}"


def _refractory_text(refractory: Refractory) -> str:
    time = refractory.time if isinstance(refractory.time, str) else f"{refractory.time} ms"
    freezes = f", freezes {', '.join(refractory.freezes)}" if refractory.freezes else ""
    return f"{time}{freezes}"


def _initial_texts(cell: CellParts) -> list[str]:
    return [f"{name} = {_user_text(value)}" for name, value in cell.initial]


def _user_text(value: Value) -> str:
    # Text needs no quotes here: it stands as in equations.
    return short(value) if isinstance(value, str) else describe(value)


def _parameter_lines(parameters: Iterable[Constant]) -> list[str]:
    texts = [f"{p.name} = {_value_text(p)}" for p in parameters]
    if not texts:
        return []
    # "name = value" has to stay on one line: its spaces are hidden while lines are filled.
    text = ", ".join(text.replace(" ", "\0") for text in texts)
    text = textwrap.fill(
        f"parameters: {text}",
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return text.replace("\0", " ").splitlines()


def _value_text(parameter: Constant) -> str:
    text = _engine_text(parameter.value, parameter.unit)
    return text if parameter.per is None else f"{text} per {parameter.per}"


def _engine_text(value: object, unit: Unit) -> str:
    """Return a value in engine units in the unit that its user declared."""
    if isinstance(value, float | int):
        # Twelve digits hide the rounding of the conversion: 0.3, not 0.30000000000000004.
        number = f"{value / unit.size:.12g}"
        return number if unit.text == "1" else f"{number} {unit.text}"
    if isinstance(value, Table):
        return f"a table of {len(value.values)} rows"
    if isinstance(value, Distribution):
        return repr(value)
    return show(value) if isinstance(value, Expr) else describe(value)


def _state_latex(state: State) -> str:
    name = latex_name(state.name)
    if state.derivative is None:
        return rf"{name} &: \mathrm{{{state.unit.text}}}"
    return rf"\frac{{\mathrm{{d}}{name}}}{{\mathrm{{d}}t}} &= {latex(state.derivative)}"


def _definition_latex(definition: Definition) -> str:
    return f"{latex_name(definition.name)} &= {latex(definition.tree)}"


def _assignments(statements: Iterable[Assign]) -> list[str]:
    # The mark in front aligns statements at their left ends.
    return [f"&{latex_statement(statement)}" for statement in statements]


def _align(rows: Iterable[str]) -> str:
    body = " \\\\\n".join(rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$" if body else ""


def _parameter_table(parameters: Iterable[Constant]) -> str:
    # The symbol is read in formulas, the name is written in code.
    # A comparison in a text must not begin an element of HTML.
    rows = [
        f"| ${latex_name(p.name)}$ | `{p.name}` | {escape(_value_text(p), quote=False)} |"
        for p in parameters
    ]
    return "\n".join(["| | parameter | value |", "|---|---|---|", *rows]) if rows else ""
