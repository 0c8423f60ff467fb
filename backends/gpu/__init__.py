"""The GPU backend: the step contract over tensors of PyTorch, samples side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from neurosim.backend.explicit_step import explicit_step_rows, refuse_sub_steps
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.network.network import Network
from neurosim.network.validation import read_whole_number

from .devices import find_device, require_device
from .engines import SampleEngines, open_engine
from .static_sums import MOST_FOLDED

if TYPE_CHECKING:
    from neurosim.ir.concrete import ConcreteNetwork
    from neurosim.ir.program import Program

PRECISIONS = ("float64", "float32")
ROUNDED = (
    "In float32 each number and each result of an operation is rounded, to 6.0e-8 (2**-24) of it; "
    "functions are computed in float64 and rounded once"
)
ANY_ORDER = (
    f"On a CUDA device the sums of a projection of up to {MOST_FOLDED} edges are folded in order. "
    "Of more edges without a rule they are added in any order, in whole parts of 9.1e-13 (2**-40) "
    "of the port's unit, which gives the same bits. Without Triton all sums are added in any "
    "order, so that their last bits may differ from run to run"
)


class GpuBackend:
    """PyTorch on a CUDA device or on the processor."""

    name = "gpu"
    summary = (
        "PyTorch on a CUDA device, or on the processor with device='cpu': there equal to the "
        "reference bit for bit; batch=B runs B samples side by side"
    )
    held_open = True
    packages = ("torch",)
    verbs: dict[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        """Return the command that installs PyTorch, None if it is installed."""
        return None if find_spec("torch") else "torch is missing. Run: pip install torch"

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact.

        Parameters
        ----------
        network : Network
        **options
            ``device`` ("cuda", "cuda:N" or "cpu"; a CUDA device unless named), ``precision``
            ("float64" or "float32"), ``batch`` (number of samples, each a run of its own),
            ``replica`` (replica word of the random numbers; of sample b, larger by b),
            ``compile`` (cells, draws, and statements of rules that all elements execute in each
            step are compiled by `torch.compile` where no Triton kernel runs).

        Raises
        ------
        NetworkError
            If an option is unknown or has a wrong value.
        """
        options = _complete(options)

        def build(program: Program, concrete: ConcreteNetwork) -> SampleEngines:
            device = find_device(options["device"])
            return open_engine(
                program,
                concrete,
                device=device,
                precision=options["precision"],
                replica=options["replica"],
                count=options["batch"] or 1,
                compile=options["compile"],
            )

        rows = tuple(_rows(network, options))
        single = options["precision"] == "float32"
        artefact = Stepped(build, single)
        if options["batch"] is not None:
            artefact = replace(artefact, batch=build, samples=options["batch"])
        return Lowered(Report(self.name, network.name, rows), artefact)


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Return all options, checked; those left out at their defaults."""
    defaults = {
        "device": None,
        "precision": "float64",
        "batch": None,
        "replica": 0,
        "compile": False,
    }
    for option in options.keys() - defaults.keys():
        unknown = describe_unknown("option", option, sorted(defaults), owner="backend 'gpu'")
        raise NetworkError(unknown)
    options = defaults | options
    require_device(options["device"])
    if options["precision"] not in PRECISIONS:
        raise NetworkError(
            f"backend 'gpu', precision: found {describe(options['precision'])}, "
            "expected 'float64' (equal to the reference on the processor) or 'float32'. "
            "Give one of these names."
        )
    if not isinstance(options["compile"], bool):
        raise NetworkError(
            f"backend 'gpu', compile: found {describe(options['compile'])}, expected True or "
            "False. Choose one."
        )
    most = (1 << 32) - 1
    if options["batch"] is not None:
        read_whole_number(options["batch"], where="backend 'gpu', batch", least=1, most=1 << 20)
    # Replicas of all samples are words of 32 bits.
    read_whole_number(
        options["replica"],
        where="backend 'gpu', replica",
        least=0,
        most=most - (options["batch"] or 1) + 1,
    )
    return options


def _rows(network: Network, options: dict[str, Any]) -> Iterable[Row]:
    """Yield the rows of a report: those of the explicit step, and what device and precision do."""
    on_cpu = options["device"] == "cpu"
    single = options["precision"] == "float32"
    rows = refuse_sub_steps(
        explicit_step_rows(network),
        network,
        reason="the method 'adaptive' takes other sub-steps in each neuron; here all take the same "
        "steps.",
        remedy="Use another method such as 'rk4', or backend 'cpu'.",
    )
    for row in rows:
        population = network.populations.get(row.place.owner)
        # Spikes that the user gave are indices and steps: whole numbers, which stay exact.
        replays = population is not None and population.source_spikes is not None
        if row.status != "exact" or replays:
            yield row
            continue
        reasons = [ROUNDED] if single else []
        if not on_cpu and row.place.kind == "projection":
            reasons.append(ANY_ORDER)
        if reasons:
            row = replace(
                row,
                status="approximated",
                reason=f"{row.reason} {'. '.join(reasons)}.",
                remedy="precision='float64' and device='cpu' are exact.",
            )
        yield row
    if single:
        yield Row(
            Place("edges, delays, draws"),
            "exact",
            "as in float64: connectivity, delays, refractory steps and Poisson counts. Other draws "
            "are rounded once; numbers of neurons are exact to 2**24.",
        )
        yield Row(
            Place("time t"),
            "approximated",
            "Computed in float64, then rounded: it has a grain of 0.01 ms after 2 minutes, 0.25 ms "
            "after an hour.",
            "Steps are counted exactly; only equations that read t notice.",
        )


backend = GpuBackend()
