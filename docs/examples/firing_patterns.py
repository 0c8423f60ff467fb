"""
Twenty firing patterns
======================

The twenty patterns of Izhikevich (2004), fig. 1, each with its published input, step and scheme.
``neurosim.models.firing_patterns`` holds their parameters as data.
"""

import matplotlib.pyplot as plt

from neurosim.models import firing_patterns

responses = [firing_patterns.respond(pattern) for pattern in firing_patterns.PATTERNS]
firing_patterns.figure(responses)

# %%
# One of them more closely: a neuron that bursts, in the plane of its two states.

names = [pattern.name for pattern in firing_patterns.PATTERNS]
bursting = responses[names.index("tonic bursting")]
figure, panel = plt.subplots(figsize=(5, 3.4), layout="constrained")
panel.plot(bursting.v, bursting.u, linewidth=0.8)
panel.set(xlabel="v (mV)", ylabel="u (mV/ms)", title="tonic bursting")
