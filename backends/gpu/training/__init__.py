"""Training of spiking networks with torch: the Trainer, its surrogates and gradient methods."""
