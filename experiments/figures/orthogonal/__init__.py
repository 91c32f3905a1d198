"""Figures of family `orthogonal`, K24a: near-orthogonal data, trained to infinite time."""
