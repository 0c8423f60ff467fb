"""Results as good as the models can give them, and how to spoil those that each acceptance check
reads.
"""

from neurosim.models.ca3_memory.experiment import PUBLISHED
from neurosim.models.ca3_memory.operations import BY_CONTENT, BY_CUE, LEARN
from neurosim.models.prediction_reservoir.experiment import TESTED

PERFECT = {
    LEARN: [5, 5],
    BY_CUE: [9, 9],
    BY_CONTENT: [8, 8],
    "all": [22, 22],
    "missing, wrong": [0, 0],
}


def memory_results(name):
    """Results as good as the CA3 memory can give them."""
    family = name.partition(" ")[0]
    if family == "amplitude":
        return {
            "counts": PUBLISHED["E2"] if name.endswith("5") else PUBLISHED["E1"],
            "tally": PERFECT,
            "spikes": [["OUT cue", 3, 1]],
        }
    return {
        "thresholds": {"slow": {"3.29": False, "3.3": True}, "fast": {"3.35": False, "3.36": True}},
        "latencies": {"learn": {"differ": []}, "cue": {"differ": []}},
        "weights": [0, 5.12, 0, 5.12, 5.11, 0, 0, 0, 5.12, 0.3],
        "retention": {"by cue and by content": [15, 15], "silence": 2000.0},
        "short": {
            n: {"recalled": True, "to cue": w, "to content": w}
            for n, w in (("1", 4.3), ("2", 4.3), ("3", 6.0))
        },
        "foreign": {"before": [1], "after": [0, 1]},
        "forgotten": {"one": [], "two": [0]},
        "default": {"spacing": 22, "right": 100},
        "close": {
            "spacing": 14,
            "right": {"4": 24, "10": 6, "16": 2}.get(name.removesuffix(" bits")[-2:].strip()),
        },
        "dense": PERFECT | {BY_CONTENT: [3, 8]},
        **{e: {"counts": PUBLISHED[e], "tally": PERFECT, "spikes": []} for e in PUBLISHED},
    }.get(family, PERFECT)


SPOILED_MEMORY = {
    "A1": ("thresholds", lambda r: r | {"slow": {"3.29": True, "3.3": True}}),
    "A2": ("latencies", lambda r: r | {"cue": {"differ": ["Int"]}}),
    "A3": ("E2", lambda r: r | {"tally": PERFECT | {"all": [21, 22]}}),
    "A4": ("E3", lambda r: r | {"counts": r["counts"] | {"Int": 37}}),
    "A5": ("amplitude x 0.8", lambda r: r | {"counts": PUBLISHED["E2"]}),
    "A6": ("weights", lambda r: [*r[:4], 5.08, *r[5:]]),
    "A7": ("private 16x64, 14 ms", lambda r: r | {"missing, wrong": [1, 0]}),
    "A8": ("random 16x6, 10 ms", lambda r: r | {"all": [21, 22]}),
    "A9": ("relearned 3 x, 8x16, 20 ms", lambda r: r | {"all": [21, 22]}),
    "A10": ("map of 64", lambda r: r | {"all": [69, 70]}),
    "A11": ("retention", lambda r: r | {"by cue and by content": [14, 15]}),
    "A12": ("short", lambda r: r | {"2": r["2"] | {"recalled": False}}),
    "A13": ("foreign bits", lambda r: r | {"after": [1]}),
    "A14": ("close spacing, 4 bits", lambda r: r | {"right": 40}),
}


def reservoir_results(key):
    """Results as good as the prediction reservoir could give them."""
    errors = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2]
    block = {"before": 1.0, "errors": errors, "timing": [5.0, -5.0], "angles": [80.0, 85.0]}
    blocked = {"tested": list(TESTED), "blocks": [block] * 4, "unchanged": True, "dale": True}
    slow = blocked | {"blocks": [block | {"errors": [0.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]}] * 4}
    first = block | {
        "tested": list(TESTED),
        "excitatory": 9.0,
        "inhibitory": 13.0,
        "silent": 0.02,
        "fastest": 80.0,
    }
    return {
        "acquisition": first,
        "again": first,
        "scan": {"r_a": 0.98, "r_b": -0.95, "r_what_b": -0.98},
        "subspaces": {"p": 0.9, "latency": 0.9, "variance": [0.5, 0.3], "angle": 85.0},
        "switches": blocked,
        "noisy": blocked,
        "merged": blocked,
        "ungated": blocked,
        "open-loop": slow,
        "least-squares": slow,
    }[key.rsplit("-", 1)[0]]


def with_blocks(result, **changed):
    return result | {"blocks": [block | changed for block in result["blocks"]]}


SPOILED_RESERVOIR = {
    "B1": ("acquisition", lambda r: r | {"silent": 0.2}),
    "B2": ("switches", lambda r: r | {"dale": False}),
    "B3": ("again", lambda r: r | {"silent": 0.021}),
    "B4": ("acquisition", lambda r: r | {"errors": [*r["errors"][:-1], 0.5]}),
    "B5": ("acquisition", lambda r: r | {"errors": [1.0, 0.8, 0.6, 0.5, 0.4, 0.49, 0.2, 0.2]}),
    "B6": ("acquisition", lambda r: r | {"timing": [-25.0, 0.0]}),
    "B7": ("switches", lambda r: with_blocks(r, errors=[1.0, 0.8, 0.6, 0.5, 0.6, 0.3, 0.2, 0.2])),
    "B8": ("switches", lambda r: with_blocks(r, timing=[-41.0, 0.0])),
    "B9": (
        "switches",
        lambda r: r | {"blocks": [*r["blocks"][:3], r["blocks"][3] | {"errors": [1.0] * 8}]},
    ),
    "B10": ("scan", lambda r: r | {"r_a": 0.94}),
    "B11": ("scan", lambda r: r | {"r_what_b": -0.94}),
    "B12": ("subspaces", lambda r: r | {"latency": 0.8}),
    "B13": ("subspaces", lambda r: r | {"angle": 70.0}),
    "B14": ("switches", lambda r: with_blocks(r, angles=[60.0, 85.0])),
    "B15": (
        "least-squares",
        lambda r: with_blocks(r, errors=[0.5, 0.7, 0.9, 0.4, 2.0, 2.0, 2.0, 2.0]),
    ),
    "B16": ("least-squares", lambda r: with_blocks(r, errors=[1.1] * 8)),
    "B17": ("noisy", lambda r: with_blocks(r, errors=[0.5] * 8)),
    "B18": ("open-loop", lambda r: with_blocks(r, errors=[0.4] * 8)),
}
