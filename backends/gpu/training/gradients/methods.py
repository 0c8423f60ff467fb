"""Methods: ways of computing gradients, as plug-ins of the Trainer."""

from __future__ import annotations

from neurosim.errors import NetworkError, describe
from neurosim.network.validation import read_whole_number


class Method:
    """Backpropagation through time; other methods say where they differ.

    Attributes
    ----------
    traces : bool
        Whether traces of presynaptic spikes replace the spikes in weight gradients.
    rates : bool
        Whether whole layers are differentiated by weighted firing rates.
    """

    name = "bptt"
    traces = False
    rates = False

    def cuts_states(self, step: int) -> bool:
        """Return whether no gradient passes from before a step into its states."""
        return False

    def cuts_spikes(self, emitted: int, arriving: int) -> bool:
        """Return whether no gradient passes along a recurrent projection between two steps."""
        return False


class Bptt(Method):
    """Backpropagation through all steps."""


class Truncated(Method):
    """Backpropagation through windows: none passes from one window into the one before.

    Gradients pass between layers within the whole course, whatever their delay; states and
    recurrent projections are cut.

    Parameters
    ----------
    window : int
        In steps.
    """

    name = "truncated"

    def __init__(self, window: int) -> None:
        self.window = read_whole_number(window, where="truncated: window")

    def cuts_states(self, step: int) -> bool:
        return step % self.window == 0

    def cuts_spikes(self, emitted: int, arriving: int) -> bool:
        return emitted // self.window != arriving // self.window


class EProp(Method):
    """E-prop: gradients pass through each neuron's own states, not along recurrent projections.

    The factor of each synapse is its eligibility trace. It is computed in the backward pass, which
    gives the numbers of the online form and takes the memory of backpropagation.

    Source: Bellec et al. 2020, Nature Communications 11:3625, eq. 3 with symmetric feedback.
    """

    name = "e-prop"

    def cuts_spikes(self, emitted: int, arriving: int) -> bool:
        return True


class Ottt(Method):
    """Online training through time: no gradient passes through time at all.

    In the weight gradient, a trace of the presynaptic spikes, which decays as the target forgets,
    replaces the spikes. It needs targets whose step is linear, with constants that all their
    neurons share; a reset is taken as if it did not forget, as one by subtraction does not.

    Source: Xiao et al. 2022, NeurIPS, eqs. 8 to 10.
    """

    name = "ottt"
    traces = True

    def cuts_states(self, step: int) -> bool:
        return True

    def cuts_spikes(self, emitted: int, arriving: int) -> bool:
        return emitted != arriving


class Dsr(Method):
    """Differentiation on spike representation: layers are differentiated by their firing rates.

    A layer's weighted firing rate is a function of its weighted mean input, which is
    differentiated; its spikes are computed without a graph. It needs layers that form no circle,
    of one state each whose step is linear, and resets by subtraction.

    Source: Meng et al. 2022, CVPR, eqs. 5 to 12.
    """

    name = "dsr"
    rates = True


NAMED: dict[str, type[Method]] = {
    "bptt": Bptt,
    "dsr": Dsr,
    "e-prop": EProp,
    "ottt": Ottt,
}


def read_method(method: object) -> Method:
    """Return a method: an object of this file, or its name if it takes no arguments.

    Raises
    ------
    NetworkError
        If it is neither.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str) and method in NAMED:
        return NAMED[method]()
    names = ", ".join(repr(name) for name in sorted(NAMED))
    raise NetworkError(
        f"Trainer, method: found {describe(method)}, expected {names}, or an object such as "
        "neurosim.gpu.Truncated(20). Give one of these."
    )
