"""Recordings: spikes and traces as plain arrays, their files, and their conversion for other tools."""
