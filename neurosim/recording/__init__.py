"""Recordings: spikes and traces as plain arrays, their files, conversion for other tools."""
