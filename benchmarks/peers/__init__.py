"""The networks of the comparison in each simulator; each file runs one job in a process."""
