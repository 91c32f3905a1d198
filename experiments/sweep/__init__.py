"""Sweeps: a statement over a grid of its parameters."""
