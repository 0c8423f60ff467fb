"""Arrays and hostile objects in place of names, flags and pairs meet our errors."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells


class Hostile:
    """An object all methods of which raise."""

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, *_: object, **__: object) -> None:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __eq__ = _refuse  # type: ignore[assignment]
    __bool__ = __len__ = _refuse
    __array__ = __float__ = __index__ = _refuse


ODD = {
    "an empty array": np.zeros(0),
    "an array": np.array([1, 2]),
    "a matrix": np.zeros((2, 2)),
    "an array without axes": np.array(3),
    "nothing in an array": np.array(None),
    "masked": np.ma.masked,
    "a list in a list": [[1]],
    "hostile": Hostile(),
    "huge": 10**400,
}


def project(**options):
    net = ns.Network("odd", dt=1.0)
    a = net.population("a", 3, cells.lif_exponential())
    connector = options.pop("connector", ns.all_to_all())
    net.project(a, a, connector, weight=1, port=options.pop("port", "excitatory"), **options)


def drive(port):
    net = ns.Network("odd", dt=1.0)
    net.poisson_drive(net.population("a", 3, cells.lif()), rate=1, weight=1, port=port)


def opened() -> ns.Run:
    net = ns.Network("odd", dt=1.0)
    a = net.population("a", 3, cells.lif())
    net.project(a, a, ns.all_to_all(), weight=1, name="edges")
    return ns.prepare(net, backend="reference")


DELIVER = ("pre", "out += 1")
USES = {
    "port": lambda odd: project(port=odd),
    "port of a drive": drive,
    "same_step": lambda odd: project(same_step=odd),
    "round_delays": lambda odd: project(round_delays=odd),
    "chance": lambda odd: project(connector=ns.where("i != j", p=odd)),
    "edges of a pair": lambda odd: project(connector=ns.where("i != j", n=odd)),
    "state of a port": lambda odd: ns.Cell("v : 1", receives={"x": ns.Port("1", into=odd)}),
    "frozen states": lambda odd: ns.Cell(
        "v : 1", spike="v > 1", refractory=ns.Refractory("1 ms", freezes=[odd])
    ),
    "handlers": lambda odd: ns.Rule(edge="w : 1", handlers=odd),
    "a handler": lambda odd: ns.Rule(edge="w : 1", handlers=[odd]),
    "a trigger": lambda odd: ns.Rule(edge="w : 1", handlers=[(odd, "out += w")]),
    "a side": lambda odd: ns.Rule(
        edge="w : 1", handlers=[DELIVER], parameters={"q": ns.Parameter("1", 1, per=odd)}
    ),
    "a name to get": lambda odd: opened().get("a", odd),
    "per_edge": lambda odd: opened().get("edges", "w", per_edge=odd),
    "precision": lambda odd: ns.check(ns.Network("odd", dt=1.0), precision=odd),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_odd_values_in_place_of_names_and_flags_are_refused_by_our_errors(use, odd):
    with pytest.raises(ns.NeurosimError):
        use(odd)


@pytest.mark.parametrize("box", [np.array(3.0), np.array([1, 2]), [1, 2, 3]], ids=str)
def test_a_box_may_be_an_array(box):
    net = ns.Network("odd", dt=1.0)
    a = net.population("a", 3, cells.lif(), positions=np.zeros((3, 3)))
    net.project(a, a, ns.where("distance < 1*um"), weight=1, box=box)
    with pytest.raises(ns.NetworkError, match="box"):
        net.project(a, a, ns.where("distance < 1*um"), weight=1, box=np.array(None))


@pytest.mark.parametrize("flag", [True, np.bool_(True), False])
def test_flags_are_true_or_false(flag):
    project(round_delays=flag, delay="1 ms")
