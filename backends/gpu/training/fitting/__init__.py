"""A loop of training for those who need none of their own, and its checkpoints."""
