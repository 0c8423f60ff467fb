"""Functions of the library: every parameter is explained, wrong names get the right ones."""

from __future__ import annotations

import inspect
import pickle

import pytest

import neurosim as ns
from neurosim.models import cells, plasticity

LIBRARY = {
    name: function
    for module in (cells, plasticity)
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__annotations__.get("return") in ("Cell", "Rule") and name[0] != "_"
}


def entries(function) -> dict[str, tuple[str, str]]:
    """Return type and text of every argument in the Parameters section of a docstring."""
    section = inspect.getdoc(function).partition("Parameters\n----------\n")[2].splitlines()
    heads = [line for line in section if not line.startswith(" ")]
    texts = [line.strip() for line in section if line.startswith(" ")]
    return {
        head.partition(" : ")[0]: (head.partition(" : ")[2], text)
        for head, text in zip(heads, texts, strict=True)
    }


@pytest.mark.parametrize("name", LIBRARY)
def test_every_parameter_is_explained_with_its_unit_and_default(name):
    function = LIBRARY[name]
    explained = entries(function)
    signature = inspect.signature(function)
    assert list(explained) == list(signature.parameters)
    for argument, parameter in signature.parameters.items():
        unit, text = explained[argument]
        assert unit and text.endswith(".")
        if parameter.default not in (None, parameter.empty):
            assert text.endswith(f"Default: {parameter.default}.")
    assert "Source: " in inspect.getdoc(function)


@pytest.mark.parametrize("name", LIBRARY)
def test_units_that_are_explained_are_those_of_the_parameters(name):
    required = {"synapse": "exponential"} if name == "izhikevich" else {}
    model = LIBRARY[name](**required)
    explained = entries(LIBRARY[name])
    for parameter in model.parameters:
        unit = explained[parameter.name][0]
        assert unit.startswith("unit of w") or unit == parameter.unit.text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cells.lif(tau_m="20 ms"),
            r"^cell 'lif' has no parameter 'tau_m'. Did you mean 'tau' or 'tau_syn'\? "
            r"The parameters are: current, .* threshold.$",
        ),
        (
            lambda: plasticity.stdp(aplus=1),
            r"^rule 'stdp' has no parameter 'aplus'. Did you mean 'a_plus'",
        ),
        (
            lambda: cells.lif("20 ms"),
            r"^cell 'lif': found 1 argument\(s\) without a name, expected all by name. "
            r"Write them such as tau=...",
        ),
        (
            lambda: cells.izhikevich(a=0.1),
            r"^cell 'izhikevich': found no 'synapse', expected one. Add synapse=..., \"delta\" or "
            r"\"exponential\": Port ``synaptic`` takes steps of voltage",
        ),
        (lambda: cells.lif(tau=0), r"^cell 'lif', parameter 'tau': found 0 ms, expected more than"),
    ],
)
def test_wrong_arguments_are_answered(make, message):
    with pytest.raises(ns.ModelError, match=message):
        make()


def test_signatures_are_written_out_for_editors():
    signature = inspect.signature(cells.lif_delta)
    assert list(signature.parameters) == [
        "tau",
        "rest",
        "reset",
        "threshold",
        "refractory",
        "resistance",
        "current",
        "method",
    ]
    assert signature.parameters["tau"].default == "20 ms"
    assert cells.lif_delta.__name__ == "lif_delta"


def test_a_parameter_keeps_the_unit_of_its_declaration():
    cell = cells.lif(tau=ns.Parameter("s", "0.02 s"))
    assert cell.parameter("tau").value == 20.0 and cell.parameter("tau").unit.text == "s"


def test_cells_and_rules_survive_pickling():
    for model in (cells.hodgkin_huxley(), plasticity.stdp()):
        assert pickle.loads(pickle.dumps(model)) == model
