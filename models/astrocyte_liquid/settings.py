"""Settings of the liquid and its baselines, and of the task that it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from neurosim.errors import NetworkError, describe

SETS = ("mnist", "fashion-mnist", "nmnist")


@dataclass(frozen=True)
class Settings:
    """Numbers that one may want to change; weights in mV/ms, lengths in units of the grid.

    Source: the authors' published code.

    Attributes
    ----------
    side : int
        Of the cubic grid; 20 for the large model.
    inputs : int
    inhibitory : float, 1
        Share of the neurons.
    reach : float
        Lambda of the distance rule.
    density : float, 1
        Of the edges from the input.
    weight : float, mV/ms
        Bound of the size of all weights.
    strength : float, 1
        Of growth of a weight, and the level at which the astrocyte starts and rests.
    gain : float, 1
        Of the astrocyte; 0.0075 for the large model.
    coverage : float, 1
        Share of the neurons that the astrocyte hears.
    start : float, 1
        Share of the bound at which weights start.
    learning : bool
        False: a static liquid.
    calcium : float, 1
        Theta of AP-STDP, around which the calcium of the target permits growth or decay of its
        weights alone (Jin & Li 2016 in the form of the published code); 0: no such gate.
    band : float, 1
        Delta of AP-STDP: how far from theta the gate reaches.
    adaptation : float, mV
        By which a spike raises the threshold, which returns within 100 ms. An extension.
    spread : float, 1
        Standard deviation of the logarithm of the membrane time constants. An extension.
    regions : int
        Parts into which each side of the grid is cut; each cube has an astrocyte of its own, which
        hears its neurons and sets the edges onto them. An extension.
    """

    side: int = 10  # that the large model is a cube, too, is a choice
    inputs: int = 784
    inhibitory: float = 0.2
    reach: float = 3.0
    density: float = 0.15
    weight: float = 3.0
    strength: float = 0.15
    gain: float = 0.015
    coverage: float = 1.0
    start: float = 1.0
    learning: bool = True
    calcium: float = 0.0
    band: float = 22.0
    adaptation: float = 0.0
    spread: float = 0.0
    regions: int = 1


DEFAULTS = Settings()
VARIANTS: Mapping[str, Settings] = {
    "astrocyte": DEFAULTS,
    "static": replace(DEFAULTS, learning=False, weight=0.9),
    "stdp": replace(DEFAULTS, gain=0.0),
    "calcium": replace(DEFAULTS, calcium=37.0, start=1 / 3),
}
"""The liquid and the published baselines: without learning, plain STDP, and AP-STDP."""


@dataclass(frozen=True)
class Task:
    """Data that are shown, and how many of them.

    Attributes
    ----------
    dataset : str
        One of `SETS`.
    samples : int
        Of the training part, from its first; 0: all.
    validation : int
        The last of these choose the readout.
    tests : int
        Of the test part, from its first; 0: all.
    presentations : int
        Short samples, by which the liquid organises itself.
    """

    dataset: str = "mnist"
    samples: int = 8000
    validation: int = 1000
    tests: int = 0
    presentations: int = 5000


SETTINGS: dict[str, Any] = {
    "variant": "astrocyte",
    "published_passes": 0,
    **asdict(Task()),
    **{name: value for name, value in asdict(DEFAULTS).items() if name != "inputs"},
}
"""Settings by name: the variant, passes of the published readout, the task, the liquid."""


def read_settings(settings: dict[str, Any]) -> tuple[str, Settings, Task, int]:
    """Return the variant, its settings with changes, the task, and passes of the published readout.

    Parameters
    ----------
    settings : mapping of str to value
        Of `SETTINGS`; those left out are the variant's own.

    Raises
    ------
    NetworkError
        If there is no such variant.
    """
    variant = settings.get("variant", "astrocyte")
    if variant not in VARIANTS:
        raise NetworkError(
            f"astrocyte liquid, variant: found {describe(variant)}, expected one of "
            f"{', '.join(VARIANTS)}. Choose one."
        )

    # One flat list of settings is easier to type than two, so they are told apart here.
    liquid = replace(VARIANTS[variant], **_select(settings, Settings))
    task = Task(**_select(settings, Task))
    passes = int(settings.get("published_passes", 0))
    return variant, liquid, task, passes


def _select(settings: dict[str, Any], settings_type: type) -> dict[str, Any]:
    """Return those settings that are fields of a dataclass."""
    names = [field.name for field in fields(settings_type)]
    return {name: settings[name] for name in names if name in settings}
