"""Accuracies of networks that the Trainer trains, on real data."""
