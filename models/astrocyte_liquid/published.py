"""Published numbers of the liquid and its baselines, for tables and checks.

Source: the results workbook of Ivanov & Michmizos 2021 (repository combra-lab/NALSM).
"""

from __future__ import annotations

from collections.abc import Mapping

# Mean and standard deviation over networks of the test accuracy, in %, by variant and data set;
# 1000 neurons, 10 networks each.
ACCURACY: Mapping[tuple[str, str], tuple[float, float]] = {
    ("astrocyte", "mnist"): (95.96, 0.13),
    ("astrocyte", "fashion-mnist"): (83.05, 0.21),
    ("astrocyte", "nmnist"): (95.90, 0.16),
    ("calcium", "mnist"): (95.49, 0.09),
    ("static", "mnist"): (95.30, 0.11),
    ("stdp", "mnist"): (89.47, 0.45),
}
# The same with 8000 neurons, 5 networks each.
ACCURACY_LARGE: Mapping[str, tuple[float, float]] = {
    "mnist": (97.49, 0.11),
    "fashion-mnist": (85.61, 0.18),
    "nmnist": (97.42, 0.07),
}
# Mean, least and largest branching factor of 10 networks on MNIST, by gain of the astrocyte.
BRANCHING: Mapping[float, tuple[float, float, float]] = {
    0.002: (1.424, 1.403, 1.448),
    0.0075: (1.325, 1.276, 1.360),
    0.015: (1.246, 1.209, 1.274),
    0.025: (1.179, 1.142, 1.215),
    0.05: (1.086, 1.050, 1.129),
    0.1: (0.988, 0.944, 1.022),
    0.2: (0.885, 0.822, 0.914),
}
# The same of static liquids, by weight.
BRANCHING_STATIC: Mapping[float, tuple[float, float, float]] = {
    0.4: (0.369, 0.335, 0.392),
    0.5: (0.539, 0.486, 0.566),
    0.6: (0.704, 0.650, 0.733),
    0.7: (0.863, 0.799, 0.900),
    0.8: (1.002, 0.943, 1.047),
    0.9: (1.130, 1.072, 1.176),
    1.0: (1.240, 1.192, 1.280),
    1.1: (1.341, 1.306, 1.370),
    1.2: (1.404, 1.374, 1.433),
    1.3: (1.437, 1.411, 1.468),
    1.4: (1.438, 1.412, 1.467),
}
