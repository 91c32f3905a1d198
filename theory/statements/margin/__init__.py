"""Family margin, Chizat and Bach: random features trained to the largest margin, with rates."""
