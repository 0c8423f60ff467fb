"""Results of the astrocyte liquid beside the published ones; each script continues its work."""
