"""Data in a subspace: what training never sees of a network, and perturbations along that."""
