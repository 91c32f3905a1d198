"""Family B, K24a on F23: leaky networks with fixed readout signs, trained to infinite time."""

from theory.statements.orthogonal import boundary, learning, noise, perturbation, quadratic

STATEMENTS = (
    *boundary.STATEMENTS,
    *quadratic.STATEMENTS,
    *perturbation.STATEMENTS,
    *learning.STATEMENTS,
    *noise.STATEMENTS,
)
