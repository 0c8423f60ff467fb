"""NEST with MPI: a plan as data for PyNEST, the program of each rank, and the joined results."""
