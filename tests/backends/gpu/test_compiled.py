"""Steps compiled by torch.compile have the bits of those that are not; failures are told once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from support.examples import examples
from support.stories import SAME, SEED, lively, played

import neurosim as ns
from neurosim.draws import streams
from neurosim.expr.functions import ARITY
from neurosim.expr.functions import FUNCTIONS as OVER_NUMPY

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors import draws  # noqa: E402
from neurosim.backends.gpu.tensors.compiled import Compiler, with_own_code  # noqa: E402
from neurosim.backends.gpu.tensors.draw_chunks import DrawChunks  # noqa: E402
from neurosim.backends.gpu.tensors.functions import FUNCTIONS  # noqa: E402

ON_CPU = {"backend": "gpu", "device": "cpu"}


@pytest.mark.slow
@pytest.mark.parametrize("name", OVER_NUMPY)
def test_a_compiled_function_has_the_bits_of_numpy_in_each_of_100_000_arguments(name):
    random = np.random.default_rng(5)
    numbers = [random.uniform(-30, 30, 100_000) for _ in range(ARITY[name])]
    compiler = Compiler("test")
    result = compiler.compiled(FUNCTIONS[name])(*map(torch.from_numpy, numbers)).numpy()
    assert not compiler.has_failed
    expected = OVER_NUMPY[name](*numbers)
    same = (result == expected) | (np.isnan(result) & np.isnan(expected))
    assert int((~same).sum()) == 0


# Both words of the first key are above 2**31: products of words then overflow int64.
KEYS = [(3243419750, 4082210491), (2032329983, 2198257139), (149690573, 619160822)]


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_compiled_draws_have_the_bits_of_numpy_in_100_000_numbers_of_each_key(distribution):
    compiler = Compiler("test")
    for size in (100_000, 7):
        blocks = torch.arange((size + 3) // 4)
        for key in KEYS:
            for step in (5, (1 << 33) + 7):
                result = draws.draw_range(
                    distribution, key, blocks, step, size=size, replica=3, functions=compiler.draws
                )
                expected = getattr(streams, distribution)(key, np.arange(size), step, replica=3)
                assert int((result.numpy() != expected).sum()) == 0
    assert not compiler.has_failed


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_compiled_draws_of_drives_and_rules_have_the_bits_of_numpy(distribution):
    """Drives draw chunks of steps at some indices, rules one step at the edges of spikes."""
    compiler = Compiler("test")
    index = np.random.default_rng(3).integers(0, 2**31, 1600)
    edges = np.random.default_rng(4).integers(0, 2**31, 100_000)
    for key in KEYS:
        chunks = DrawChunks(
            distribution,
            key,
            torch.from_numpy(index),
            replica=3,
            dtype=torch.float64,
            functions=compiler.draws,
        )
        draw = getattr(streams, distribution)
        for step in range(64):
            expected = draw(key, index, step, replica=3)
            assert int((chunks.at(step).numpy() != expected).sum()) == 0
        for count in (100_000, 1, 30):
            element = torch.from_numpy(edges[:count])
            result = draws.draw(distribution, key, element, 5, replica=3, functions=compiler.draws)
            expected = draw(key, edges[:count], 5, replica=3)
            assert int((result.numpy() != expected).sum()) == 0
    assert not compiler.has_failed


@pytest.mark.slow
def test_compiled_words_have_the_bits_of_numpy_where_products_overflow():
    """In C++ a signed overflow is undefined: Inductor's code had other words for such keys."""
    compiler = Compiler("test")
    for key in KEYS:
        result = draws.draw_range(
            "uniform", key, torch.arange(2), 5, size=7, functions=compiler.draws
        )
        assert (result.numpy() == streams.uniform(key, np.arange(7), 5)).all()
    assert not compiler.has_failed


@pytest.mark.slow
def test_rules_and_drives_with_draws_are_those_of_the_reference_with_compiled_steps():
    net = learning_with_noise()
    runs = [ns.prepare(net, backend="reference")]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*torch.compile failed")
        runs.append(ns.prepare(net, compile=True, **ON_CPU))
        for run in runs:
            run.run("150 ms", progress=False)
    for name in ("source", "target"):
        expected, result = (run.result()[name] for run in runs)
        assert expected.spikes == result.spikes and len(expected.spikes) > 1000
        assert (expected.trace("v").values == result.trace("v").values).all()
    for variable in ("w", "c"):
        expected, result = (run.get("edges", variable) for run in runs)
        assert (expected == result).all() and expected.std() > 1e-4


def learning_with_noise() -> ns.Network:
    """Return a network that draws in cells, drives, and handlers of spikes and of steps."""
    cell = ns.Cell(
        "dv/dt = -v / tau + 0.4 * xi / sqrt(tau) : 1",
        parameters={"tau": "8 ms"},
        receives={"x": ns.Port("1", into="v")},
        spike="v > 0.6",
        after_spike="v = 0.1 * uniform()",
        refractory="1 ms",
    )
    rule = ns.Rule(
        edge="dc/dt = -c**3 / (20 * ms) : 1; w : 1",
        pre="dx/dt = -x / (9 * ms) : 1",
        handlers=[
            ("pre", "out += w; x += 1; c += 0.1 * uniform()"),
            ("post", "w = clip(w + 0.05 * x + 0.01 * normal(), 0, 1)"),
            ("step", "w = 0.999 * w + 0.0001 * c * normal()"),
        ],
    )
    net = ns.Network("noise", dt="1 ms", seed=6)
    source = net.population("source", 40, cell, v=ns.uniform(0, 1))
    target = net.population("target", 23, cell)
    net.poisson_drive(source, rate="200 Hz", weight=0.2, port="x")
    net.poisson_drive(target[3:17], rate="300 Hz", weight=0.2, port="x")
    learns = {"rule": rule, "weight": ns.uniform(0.1, 0.5), "name": "edges", "delay": "2 ms"}
    net.project(source, target, ns.fixed_probability(0.4), port="x", **learns)
    net.project(target, source, ns.fixed_probability(0.3), weight=0.1, port="x", delay="1 ms")
    net.record(source, "spikes", "v")
    net.record(target, "spikes", "v")
    return net


@pytest.mark.slow
@SEED
@settings(SAME, max_examples=examples(20))
@given(rn.stories())
def test_random_networks_are_equal_with_compiled_steps(story):
    """Noise, plasticity and all other parts of the catalogue; it takes an hour on two cores."""
    expected = rn.outcome(played(story, "reference"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*torch.compile failed")
        compiled = rn.outcome(played(story, compile=True, **ON_CPU))
    assert rn.differences(expected, compiled) == []


def test_a_failure_of_the_compiler_is_told_once_and_the_run_goes_on(monkeypatch):
    def fails(function, **options):
        def call(*arguments):
            raise RuntimeError("no C++ compiler\nsecond line")

        return call

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.warns(RuntimeWarning, match="torch.compile failed .no C.. compiler.") as caught:
        run = played(lively(), compile=True, **ON_CPU)
    assert len([w for w in caught if w.category is RuntimeWarning]) == 1
    assert "second line" not in str(caught[0].message)
    expected = rn.outcome(played(lively(), "reference"))
    assert rn.differences(expected, rn.outcome(run)) == []


def test_functions_of_the_same_text_are_all_compiled_however_many_there_are():
    """The compiler leaves the ninth variant of a code object."""
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph.forward

    def times(factor):
        return lambda x: x * factor

    for factor in range(12):
        function = torch.compile(with_own_code(times(float(factor))), backend=keep)
        assert function(torch.ones(2)).tolist() == [factor, factor]
    assert len(graphs) == 12


def test_compile_is_true_or_false():
    with pytest.raises(ns.NetworkError, match="compile: found 3, expected True or False"):
        ns.check(lively().net, compile=3, **ON_CPU)
