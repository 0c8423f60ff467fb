"""The name under which this package is installed; it is imported as neurosim."""

# "neurosim" on the public package index is another project with the same import name.
DISTRIBUTION = "neurosim-snn"
