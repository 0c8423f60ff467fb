"""Triton runs networks on CUDA devices, and tensors run those that it cannot build."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("triton")

import torch  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends.gpu.engines import open_engine  # noqa: E402
from neurosim.backends.gpu.tensors import engine as tensors  # noqa: E402
from neurosim.backends.gpu.triton import engine as triton  # noqa: E402

CUDA: Any = SimpleNamespace(type="cuda")


def opened(device: torch.device) -> Any:
    network: Any = SimpleNamespace(name="net")
    return open_engine(network, network, device=device, precision="float64", replica=3, count=2)


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    """Engines that say their name and what they were given."""
    monkeypatch.setattr(tensors, "TensorEngine", lambda *arguments, **options: ("tensors", options))
    monkeypatch.setattr(triton, "TritonEngine", lambda *arguments, **options: ("triton", options))


def test_a_cuda_device_is_given_to_triton_and_the_processor_to_tensors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name, options = opened(CUDA)
        assert name == "triton"
        assert options == {"device": CUDA, "precision": "float64", "replica": 3, "count": 2}
        assert opened(torch.device("cpu"))[0] == "tensors"


@pytest.mark.parametrize("error", [ImportError("no triton"), RuntimeError("no C compiler\nhere")])
def test_one_message_says_why_triton_does_not_run_a_network(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(triton, "TritonEngine", fail)
    reason = str(error).partition("\n")[0]
    with pytest.warns(RuntimeWarning, match=f"'net'.*{reason}.*slower. Install triton") as caught:
        assert opened(CUDA)[0] == "tensors"
    assert len(caught) == 1


def test_memory_that_runs_out_is_no_reason_for_the_slower_engine(monkeypatch):
    def fail(*arguments, **options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(triton, "TritonEngine", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        opened(CUDA)


def test_the_report_says_how_sums_are_added_on_a_cuda_device():
    net = ns.Network("net", dt="1 ms")
    cells = net.population("cells", 2, ns.Cell("v : 1", receives={"x": ns.Port("1", into="v")}))
    net.project(net.bernoulli("source", 2, p=0.5), cells, ns.all_to_all(), weight=1.0, port="x")
    text = str(ns.check(net, backend="gpu"))
    assert "up to 2097152 edges are folded in order" in text
    assert "whole parts of 9.1e-13" in text and "Without Triton" in text
