"""Networks: populations, projections, connectors and sources, each checked at the line of the user."""
