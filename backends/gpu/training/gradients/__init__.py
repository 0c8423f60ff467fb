"""How gradients are computed: surrogates, derivatives, operations with slots, methods."""
