"""Analysis of recordings: measures of spikes, and the comparison of two recordings."""
