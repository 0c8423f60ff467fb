"""Many runs of networks that differ in parameters and seeds, and the table of their results."""
