"""Figures of networks between lazy and rich training."""
