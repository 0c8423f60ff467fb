"""Random numbers: streams keyed by seed and name, values and edges that are drawn."""
