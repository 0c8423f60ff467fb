"""Matching a cell to a standard cell of PyNN: which state is which, and each PyNN parameter as an expression over the cell's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import sympy

from neurosim.model.cell import Cell
from neurosim.units import NUMBER, read, to_engine, unit

from .algebra import Symbolic, Unmatched, after, symbol, symbolic
from .own_cell import OwnCell
from .solving import Short, eliminate
from .standards import STANDARDS, Standard

_MANY = 800  # orders of states that are tried


@dataclass(frozen=True)
class Match:
    """A cell as a standard cell.

    Attributes
    ----------
    states : state of the standard cell -> that of the cell; those it lacks are missing
    scales : state of the standard cell -> factor: its value is the factor times that of the cell's state
    parameters : parameter of the standard cell -> expression over the cell's parameters; None: it may have any value
    ports : port of the cell -> receptors that its weights may go to
    jumps : port -> what its weight is multiplied by where a ``step`` statement says so, over dt too
    unread : parameters of the cell that nothing of the standard cell depends on
    """

    standard: Standard
    states: dict[str, str]
    scales: dict[str, Symbolic]
    parameters: dict[str, Symbolic | None]
    ports: dict[str, tuple[str, ...]]
    jumps: dict[str, Symbolic]
    unread: tuple[str, ...]

    def scale(self, receptor: str) -> Symbolic:
        """Return what a weight is multiplied by on its way to a receptor."""
        return self.scales.get(self.standard.receptors[receptor], sympy.Integer(1))


def match(cell: Cell, target: str, *, zero: Collection[str] = ()) -> Match:
    """Return the standard cell of a target that a cell is, up to renaming and units.

    Parameters
    ----------
    zero : parameters that are 0 for all neurons: what they multiply may be anything.

    Raises
    ------
    Unmatched
        With the reason for the standard cell that came closest.
    """
    own = OwnCell(cell, frozenset(zero))
    reasons: list[tuple[int, str]] = []
    spare = None
    for standard in STANDARDS:
        if target in standard.targets:
            try:
                found = _against(own, standard)
            except Short as error:
                reasons.append((error.reached, f"closest is {standard.name}: {error}"))
                continue
            except (NotImplementedError, sympy.PolynomialError):
                reasons.append(
                    (
                        0,
                        f"closest is {standard.name}: its equations are beyond what can be compared.",
                    )
                )
                continue
            if all(found.ports.values()):
                return found
            spare = spare or found
    if spare is not None:
        return spare
    raise Unmatched(max(reasons, key=lambda pair: pair[0])[1])


def _against(own: OwnCell, standard: Standard) -> Match:
    likely = standard.cell.spike is not None and len(own.reset.keys() & set(own.states)) == len(
        standard.cell.after_spike
    )
    best = Short(
        int(likely),
        f"it has the states {', '.join(s.name for s in standard.cell.states)} there, and this cell has {', '.join(own.states)}.",
    )
    if standard.searched and not any(d.has(sympy.exp) for d in own.derivatives.values()):
        raise Short(0, "it has exponentials of v, and this cell has none.")
    for names_ in _pairings(own, standard):
        try:
            return _solved(own, standard, names_)
        except Short as error:
            best = max(best, error, key=lambda e: e.reached)
    raise best


def _pairings(own: OwnCell, standard: Standard) -> Iterator[dict[str, str]]:
    """Yield ways to name the cell's states as those of the standard cell: all of the cell's, and all but the synaptic of the standard cell."""
    voltage, _ = own.threshold
    units = {s.name: s.unit.exponents for s in own.cell.states}
    theirs = {s.name: s.unit.exponents for s in standard.cell.states}
    rest = [s for s in own.states if s != voltage]
    open_ = [s for s in theirs if s != "v"]
    plain = units[voltage] == NUMBER
    tried = 0
    for chosen in permutations(open_, len(rest)):
        tried += 1
        if tried > _MANY:
            return
        named = {"v": voltage, **dict(zip(chosen, rest, strict=True))}
        fits = all(
            plain or (units[mine] != NUMBER if n in standard.synaptic else units[mine] == theirs[n])
            for n, mine in named.items()
        )
        if fits and all(
            n in named or n in standard.synaptic or n in standard.optional for n in theirs
        ):
            yield named


def _solved(own: OwnCell, standard: Standard, named: dict[str, str]) -> Match:
    """Return the match for one naming of the states."""
    theirs = standard.cell
    missing = [s.name for s in theirs.states if s.name not in named]
    unknown = {p.name: sympy.Symbol(f"~{p.name}", real=True) for p in theirs.parameters}
    scale = {
        s: sympy.Symbol(f"~scale {s}", real=True) if s in standard.synaptic else sympy.Integer(1)
        for s in named
    }
    place = (
        {s: scale[s] * symbol(mine) for s, mine in named.items()}
        | {s: sympy.Integer(0) for s in missing}
        | unknown
    )
    known = dict(place)
    for (
        d
    ) in theirs.definitions:  # written in an order in which each reads only what stands before it
        known[d.name] = symbolic(d.tree, known)
    wanted: list[tuple[str, Symbolic]] = []
    for s, mine in named.items():
        derivative = symbolic(theirs.state(s).derivative, known)
        wanted.append((f"the equation of {mine!r}", scale[s] * own.derivatives[mine] - derivative))
    wanted += [
        (f"what drives {s!r}, which this cell lacks,", symbolic(theirs.state(s).derivative, known))
        for s in missing
    ]
    wanted += _events(own, standard, named, place)
    wanted = [(what, sympy.sympify(e)) for what, e in wanted]
    symbols = [symbol(s) for s in own.states]
    error: Short | None = None
    for trial in _trials(standard, own, unknown):
        try:
            found = eliminate(
                [(what, e.subs(trial)) for what, e in wanted], symbols, own, unknown, scale
            )
        except Short as short:
            error = short if error is None or short.reached > error.reached else error
            continue
        return _match(own, standard, named, {**trial, **found}, unknown, scale)
    raise error or Short(0, "nothing fits.")


def _trials(
    standard: Standard, own: OwnCell, unknown: Mapping[str, sympy.Symbol]
) -> Iterator[dict[sympy.Symbol, Symbolic]]:
    """Yield choices of the parameters that stand within functions of v."""
    if not standard.searched:
        yield {}
        return
    units = {p.name: p.unit.exponents for p in standard.cell.parameters}
    able = {
        n: [c for _, c, e in own.candidates if e in (units[n], NUMBER)] for n in standard.searched
    }
    for chosen in _product([able[n] for n in standard.searched]):
        yield {unknown[n]: c for n, c in zip(standard.searched, chosen, strict=True)}


def _product(lists: list[list[Symbolic]]) -> Iterator[tuple[Symbolic, ...]]:
    if not lists:
        yield ()
        return
    for first in lists[0]:
        for rest in _product(lists[1:]):
            if first != 0:
                yield (first, *rest)


def _events(
    own: OwnCell, standard: Standard, named: dict[str, str], place: Mapping[str, Symbolic]
) -> Iterable[tuple[str, Symbolic]]:
    """Yield what must vanish for threshold, reset and refractoriness to be equal."""
    theirs = standard.cell
    if theirs.spike is None:  # detection is the target's own
        if own.reset:
            raise Short(0, "it has no reset after a spike, and this cell has one.")
        return
    yield "the threshold", own.threshold[1] - symbolic(theirs.spike.right, place)
    reset, mine = (
        after(theirs.after_spike, place),
        {k: v for k, v in own.reset.items() if k in own.states},
    )
    back = {ours: s for s, ours in named.items()}
    for state in mine:
        if back[state] not in reset:
            raise Short(0, f"after a spike it does not change what is {state!r} here.")
    for s, result in reset.items():
        if s in named:
            if named[s] not in mine:
                raise Short(0, f"it resets {s!r} after a spike, and this cell does not.")
            yield f"the reset of {named[s]!r}", mine[named[s]] - result
    refractory = own.cell.refractory
    if theirs.refractory is None:
        if refractory is not None:
            raise Short(2, "it has no refractory period, and this cell has one.")
        return
    if refractory is None:
        yield "the refractory period", place["tau_refrac"]
        return
    if set(refractory.freezes) != {named["v"]}:
        frozen = ", ".join(refractory.freezes) or "nothing"
        raise Short(
            2,
            f"it freezes the voltage and nothing else while refractory, and this cell freezes {frozen}.",
        )
    yield "the refractory period", _time(refractory.time) - place["tau_refrac"]


def _time(given: object) -> Symbolic:
    if isinstance(given, str) and read(given) is None:
        return symbol(given)
    return sympy.Rational(repr(float(to_engine(given, unit("ms"), where="refractory"))))


def _match(
    own: OwnCell,
    standard: Standard,
    named: dict[str, str],
    found: dict[sympy.Symbol, Symbolic],
    unknown: Mapping[str, sympy.Symbol],
    scale: Mapping[str, Symbolic],
) -> Match:
    """Return the match, synapses that the cell lacks served by those it has."""
    states = dict(named)
    scales = {
        s: sympy.simplify(found.get(e, sympy.Integer(1)) if e.is_Symbol else e)
        for s, e in scale.items()
    }
    parameters = {
        name: None if s not in found else sympy.simplify(found[s]) for name, s in unknown.items()
    }
    both = standard.signed and standard.twins
    if both and not {s.replace("_exc", "_inh") for s in named if s.endswith("_exc")} & named.keys():
        for s in [s for s in named if s.endswith("_exc")]:
            states[s.replace("_exc", "_inh")], scales[s.replace("_exc", "_inh")] = (
                named[s],
                scales[s],
            )
        for one, other in standard.twins:
            parameters[other] = parameters[one]
    ports, jumps = {}, {}
    for port, jump in own.jumps.items():
        if jump is not None:
            ports[port] = tuple(
                r for r, s in standard.receptors.items() if states.get(s) == jump[0]
            )
            jumps[port] = jump[1]
    read = {
        s.name
        for e in (*parameters.values(), *scales.values())
        if e is not None
        for s in e.free_symbols
    }
    unread = tuple(p.name for p in own.cell.parameters if p.name not in read)
    return Match(standard, states, scales, parameters, ports, jumps, unread)
