"""Family C, K24b: wide two-layer networks with frozen readout, lazy training and perturbations."""
