"""Milstein's scheme: noise that multiplies a state, of first order for each path."""

import numpy as np
import pytest

import neurosim as ns

MU, SIGMA = 0.05, 0.3


def motion(dt: float, method: str, *, size: int = 300) -> ns.Network:
    """Geometric Brownian motion x beside its noise w, which Euler's method sums exactly."""
    net = ns.Network("net", dt=dt, seed=8)
    cell = ns.Cell(
        """dx/dt = mu * x + sigma * x * noise : 1
           dw/dt = noise : ms**0.5
           noise = xi : 1/ms**0.5""",
        parameters={"mu": f"{MU} 1/ms", "sigma": f"{SIGMA} 1/ms**0.5"},
        initial={"x": 1},
        method=method,
    )
    net.record(net.population("p", size, cell), "x", "w", every="1 ms")
    return net


def path_error(dt: float, method: str, backend: str) -> float:
    """Return the mean distance of paths from those of the closed form (of Ito) at 2 ms."""
    result = ns.simulate(motion(dt, method), "2 ms", backend=backend)["p"]
    w = result.trace("w").values[-1]
    exact = np.exp((MU - SIGMA**2 / 2) * 2 + SIGMA * w)
    return float(np.abs(result.trace("x").values[-1] - exact).mean())


def test_paths_converge_in_first_order(backend):
    errors = {
        method: [path_error(dt, method, backend) for dt in (0.25, 0.0625)]
        for method in ("milstein", "euler")
    }
    # A quarter of the step: a quarter of the error, and half of it with Euler's method.
    assert errors["milstein"][0] / errors["milstein"][1] == pytest.approx(4, rel=0.2)
    assert errors["euler"][0] / errors["euler"][1] == pytest.approx(2, rel=0.3)
    assert errors["milstein"][1] < errors["euler"][1] / 4


def test_engines_agree(backend):
    reference = ns.simulate(motion(0.25, "milstein"), "5 ms", backend="reference")["p"]
    result = ns.simulate(motion(0.25, "milstein"), "5 ms", backend=backend)["p"]
    np.testing.assert_array_equal(result.trace("x").values, reference.trace("x").values)


def test_additive_noise_is_that_of_euler(backend):
    def trace(method: str) -> np.ndarray:
        cell = ns.Cell(
            "dv/dt = -v / (5*ms) + 0.2 * xi / ms**0.5 : 1; du/dt = v / ms : 1", method=method
        )
        net = ns.Network("net", dt="0.5 ms", seed=1)
        net.record(net.population("p", 3, cell), "v", "u")
        result = ns.simulate(net, "5 ms", backend=backend)["p"]
        return np.hstack([result.trace("v").values, result.trace("u").values])

    np.testing.assert_array_equal(trace("milstein"), trace("euler"))


def test_a_variable_of_edges_has_it_too(backend):
    net = ns.Network("net", dt="0.5 ms", seed=1)
    p = net.population("p", 2, ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")}))
    rule = ns.Rule(
        edge="ds/dt = -s / (20*ms) + 0.1 * s * xi / ms**0.5 : 1",
        handlers=[("step", "out += s")],
        method="milstein",
    )
    net.project(p, p, ns.all_to_all(), rule=rule, s=1, name="e")
    net.record(net["e"], "s")
    s = ns.simulate(net, "5 ms", backend=backend)["e"].trace("s").values
    reference = ns.simulate(net, "5 ms", backend="reference")["e"].trace("s").values
    np.testing.assert_array_equal(s, reference)
    assert np.unique(s[0]).size == 4


def test_noise_of_other_states_in_its_amplitude_is_refused():
    for equations in (
        "dx/dt = y * xi / ms**0.5 : 1; dy/dt = xi / ms**0.5 : 1",
        "dx/dt = x * xi / ms**0.5 + x * xi / ms**0.5 : 1",
    ):
        with pytest.raises(
            ns.ModelError, match="amplitude of its noise reads a state with noise other than 'x'|xi"
        ):
            net = ns.Network("net", dt="1 ms")
            ns.simulate(_with(net, ns.Cell(equations, method="milstein")), "1 ms")


def _with(net: ns.Network, cell: ns.Cell) -> ns.Network:
    net.population("p", 1, cell)
    return net


def test_reports_name_its_order():
    assert "x: milstein (first order, of each path too)" in str(ns.check(motion(0.5, "milstein")))
