"""Figures of family `lazy`, K24b: learning from perturbations of lazily trained networks."""
