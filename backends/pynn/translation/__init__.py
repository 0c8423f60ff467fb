"""Translation: a network as a plan for one simulator, with a row of the report for each part."""
