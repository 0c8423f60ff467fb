"""Threads: partitions of a network, the number of threads, and the cores they run on."""
