"""Family B, K24a on F23: leaky networks with fixed readout signs, trained to infinite time."""
