"""How equations are integrated: the choice of methods, and the statements of a step."""
