"""Angles between unit vectors from the chords ‖u − v‖ and ‖u + v‖, in vector instructions.

The libraries' arctan2 and arccos work through one number at a time on a CPU, some thirty times
slower, and arccos loses half the digits near 0 and π.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray
from theory._validation import takes_arrays

# 2 arcsin(√s/2)/√s on [0, 2] = Σ_k c_k s^k: Chebyshev interpolation in 60 digits
# (mpmath.chebyfit), errors 2.0e-8 and 2.2e-17, below the rounding of either precision.
_SINGLE = (
    0.9999999887111962,
    0.04166738667902336,
    0.0046800715261389545,
    0.0007262632728583887,
    6.535698808776324e-05,
    7.376929084201138e-05,
    -2.199370525165382e-05,
    6.6939687035394984e-06,
)
_DOUBLE = (
    1.0,
    0.041666666666662466,
    0.004687500000251135,
    0.0006975446369158594,
    0.00011867954451856183,
    2.1847250761055034e-05,
    4.2393265232186344e-06,
    8.424954770441882e-07,
    2.0127872576528783e-07,
    -9.924079316328766e-09,
    7.506953579904677e-08,
    -7.0779453055616e-08,
    6.009350210746638e-08,
    -3.7117016503551776e-08,
    1.729305427517311e-08,
    -5.801487598007531e-09,
    1.3406250698758984e-09,
    -1.9085902934543626e-10,
    1.294087904918515e-11,
)


@takes_arrays
def acute_angle(squared_chord: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """2 arcsin(c/2) in [0, π/2] from c² in [0, 2]: the angle of unit vectors at a distance c ≤ √2.

    To 2ε of itself (ε = 2⁻²³ in float32, 2⁻⁵² in float64).
    """
    coefficients = _DOUBLE if squared_chord.dtype == jnp.float64 else _SINGLE
    series = jnp.full_like(squared_chord, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        series = series * squared_chord + coefficient
    return jnp.sqrt(squared_chord) * series


@takes_arrays
def angle_from_chords(
    difference: Float[AnyArray, "..."], total: Float[AnyArray, "..."]
) -> Float[Array, "..."]:
    """θ in [0, π] between unit vectors u and v from ‖u − v‖² and ‖u + v‖².

    The shorter chord decides: θ is then as accurate as the chords at every angle.
    """
    acute = acute_angle(jnp.minimum(difference, total))
    return jnp.where(difference <= total, acute, jnp.pi - acute)
