"""Networks: populations, projections, connectors, sources; checked at the line of the user."""
