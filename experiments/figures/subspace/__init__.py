"""Figures of networks whose data lie in a subspace."""
