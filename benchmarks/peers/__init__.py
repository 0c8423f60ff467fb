"""The networks of the comparison in each simulator; every file is a process that runs one job and
reports it in one line of JSON.
"""
