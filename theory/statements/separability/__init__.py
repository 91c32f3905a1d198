"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""
