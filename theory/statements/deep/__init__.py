"""Networks of any depth: moments of what they compute, and their kernels."""
