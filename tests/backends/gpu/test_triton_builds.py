"""Every kernel is built for sm_90 without a GPU, and fuses no product with a sum."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.library_cells import CELLS
from support.rule_networks import FAMILY, LISTENER

pytest.importorskip("triton")

import torch  # noqa: E402
from support.triton_builds import build, machine_code  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends.gpu.triton.engine import TritonEngine  # noqa: E402
from neurosim.backends.gpu.triton.launches import Launch  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.ir.discretise import discretise  # noqa: E402
from neurosim.models.plasticity import stdp  # noqa: E402

FUSED = re.compile(r"\b[DF]FMA\b")


def launches(net: ns.Network, **options) -> list[Launch]:
    concrete = concretise(net)
    program = discretise(concrete)
    device = torch.device("cpu")
    engine = TritonEngine(program, concrete, device=device, interpreted=False, **options)
    return engine.launches()


def learning(rule: ns.Rule) -> ns.Network:
    net = ns.Network("learning", dt="1 ms")
    source = net.bernoulli("source", 20, p=0.2)
    target = net.population("target", 30, LISTENER)
    net.poisson_drive(target, rate="100 Hz", weight=1.0, port="go")
    net.project(source, target, ns.all_to_all(), weight=0.1, port="synaptic", delay="2 ms")
    net.project(
        source, target, ns.all_to_all(), rule=rule, weight=0.5, port="synaptic", name="edge"
    )
    net.record(target, "spikes", "heard")
    return net


def require_no_fusion(launch: Launch, folder: Path) -> None:
    built = build(launch)
    text = built.asm["ptx"]
    assert "fma." not in text
    # The rounded division and root are themselves made of such operations, and end with one.
    if not re.search(r"\b(div|sqrt|rcp)\.", text):
        code = machine_code(built.asm["cubin"], folder)
        assert "EXIT" in code
        assert not FUSED.search(code)


@pytest.mark.parametrize(
    "delivery, precision",
    [("push", "float64"), pytest.param("pull", "float32", marks=pytest.mark.slow)],
)
@pytest.mark.process
def test_the_kernels_of_a_network_that_learns_are_built_without_fusion(
    delivery, precision, tmp_path
):
    kernels = launches(learning(stdp()), delivery=delivery, precision=precision)
    names = {launch.kernel.fn.__name__ for launch in kernels}
    assert {"integrate", "run", "drive", "fold_ring", "sample_values", "tick"} <= names
    assert ("push" in names) == (delivery == "push")
    for launch in kernels:
        require_no_fusion(launch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("delivery", ["push", "pull"])
def test_kernels_are_built_if_all_sizes_are_one(delivery):
    """Triton compiles a 1 into the kernel: loops then begin with a constant."""
    net = ns.Network("ones", dt="1 ms")
    source = net.bernoulli("source", 1, p=0.2)
    listed = net.spike_source("given", 1, steps=[[3]])
    target = net.population("target", 1, LISTENER)
    net.poisson_drive(target, rate="0 Hz", weight=1.0, port="go")
    for before in (source, listed):
        net.project(before, target, ns.all_to_all(), weight=0.1, port="synaptic", delay=0.0)
    edges = net.project(
        source, target, ns.all_to_all(), rule=stdp(), weight=0.5, port="synaptic", name="learns"
    )
    net.record(target, "spikes", "heard")
    net.record(edges, "w")
    for launch in launches(net, delivery=delivery):
        assert build(launch).asm["cubin"]


def test_the_check_sees_a_product_that_is_fused_with_a_sum(tmp_path, monkeypatch):
    from support import triton_builds

    monkeypatch.setitem(triton_builds.OPTIONS, "enable_fp_fusion", True)
    cell = ns.Cell("v : 1", step="v = 0.5 * v * v + 0.25", name="fused")
    net = ns.Network("net", dt="1 ms")
    net.population("p", 3, cell)
    with pytest.raises(AssertionError):
        require_no_fusion(launches(net)[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", CELLS)
def test_the_kernels_of_a_library_cell_are_built_without_fusion(name, precision, tmp_path):
    net = ns.Network("net", dt="0.5 ms")
    net.population("p", 40, CELLS[name][0])
    for launch in launches(net, precision=precision):
        require_no_fusion(launch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_the_kernels_of_a_library_rule_are_built_without_fusion(name, tmp_path):
    for launch in launches(learning(FAMILY[name])):
        require_no_fusion(launch, tmp_path)
