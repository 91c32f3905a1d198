"""How far training moves the network of Z23, and how that changes its input gradients.

f(x) = aᵀσ(Wx) with the ReLU, W_ij ~ N(0, 1/d), a_i ~ N(0, 1/m), both trained on the squared loss
at *equal* learning rates. The NTK is then K = mΣ + Θ, Σ = E[σ(Wx)σ(Wz)] (the readout's part, of
order m) and Θ = Φ(x, z)⟨x, z⟩ (the hidden layer's, of order d), and gradient descent ends at

  Δa = σ(XWᵀ)ᵀβ,  ΔW = Σ_k β_k (D_k a) x_kᵀ,  β = K⁻¹(y − f(·; 0)),  f(·; 0) ~ N(0, Σ),

to leading order in 1/m. Points are given in rows; rows of zeros count as no points at all.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._scaling import maximum, power_of_two
from theory._types import AnyArray, Real
from theory._validation import check_integer, check_labels, check_points, takes_arrays
from theory.infinite_width import kernels
from theory.margins import rounding_error
from theory.networks.descent import Descent
from theory.networks.network import Params, leaky_relu_derivative, pre_activations

SLOPE = 0.0
ORTHOGONAL = 0.5 - 1 / (2 * np.pi)  # σ₀: Σ of orthogonal points is σ₀I + 11ᵀ/2π


class Movement(NamedTuple):
    """E‖Δa‖² (readout) and E‖ΔW‖²_F (hidden), the squared distances that training covers."""

    readout: Array
    hidden: Array


@takes_arrays
def predicted_movement(x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], m: Real) -> Movement:
    """E‖Δa‖² = tr[K⁻¹(mΣ)K⁻¹(yyᵀ + Σ)] and E‖ΔW‖²_F = tr[K⁻¹ΘK⁻¹(yyᵀ + Σ)].

    Over the initialization, at zero squared loss, to leading order in 1/m: the finite-width kernel
    differs from K by a relative O(√(n/m)), which enters the means squared.

    Args:
      x: (n, d) points of norm √d; rows of zeros are left out.
      y: (n,) labels ±1.
      m: width; may be traced.

    Returns:
      The `Movement`. For orthogonal points, Σ_k y_k = 0 and m ≫ d the readout's is
      (1 + 1/σ₀)n/m = 3.93 n/m, σ₀ = ½ − 1/2π, and the hidden layer's (1 + σ₀)nd/(2σ₀²m²).

    Raises:
      ValueError: if x or y is malformed.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    x, power = _scaled(x)  # Σ and Θ are of second degree in x
    covariance, hidden = _kernel_parts(x)
    here = jnp.any(x != 0, axis=1)
    kernel = m * covariance + hidden + jnp.diag(jnp.where(here, 0.0, 1.0))
    labels = jnp.where(here, y, 0)
    inverse = jnp.linalg.inv(kernel)

    def moved(part: Array) -> Array:
        by_labels, by_outputs = (
            jnp.sum(part * (inverse @ spread @ inverse))
            for spread in (jnp.outer(labels, labels), covariance)
        )
        return by_labels / power / power + by_outputs

    return Movement(m * moved(covariance), moved(hidden))


def _scaled(x: AnyArray) -> tuple[Array, Array]:
    """x over a power of two near its largest entry, and that power."""
    power = power_of_two(maximum(jnp.abs(x)))
    return jnp.divide(x, power), power


def _kernel_parts(x: Array) -> tuple[Array, Array]:
    """Σ and Θ."""
    return (
        kernels.nngp(x, x, SLOPE, bias=False),
        kernels.hidden_ntk(x, x, SLOPE, bias=False),
    )


@takes_arrays
def predicted_alignment(x: Float[AnyArray, "n d"], m: Real) -> Float[Array, " n"]:
    """E S*_k, S*_k = aᵀW W*ᵀD*_k a*, W* and a* after training on x with the squared loss.

    ½ − (m/2d) Σ_j [(sin θ_kj/2π)(K⁻¹G)_jk + Φ_kj (K⁻¹G)_jj],  G = XXᵀ/d, Φ = (π − θ)/2π.

    Over the initialization and labels of mean 0 independent of it, at any d, to leading order in
    1/m. At initialization it is ½: training has to unlearn f(·; 0) = ½⟨Wᵀa, ·⟩ + …, and with it the
    part of Wᵀa in the span of the points. For n ≪ d it is ½ − 0.37 n/d.

    Args:
      x: (n, d) points of norm √d.
      m: width; may be traced.

    Returns:
      (n,) means.

    Source:
      Ours; the mean of the fourth term of Z23 eq. 22.
    """
    check_points("x", x)
    d = x.shape[1]
    x, _ = _scaled(x)
    covariance, hidden = _kernel_parts(x)
    solved = jnp.linalg.solve(m * covariance + hidden, x @ x.T / d)
    phi = kernels.derivative_kernel(x, x, SLOPE, bias=False)
    sine = jnp.sin(kernels.angle(x, x, bias=False)) / (2 * jnp.pi)
    change = jnp.sum(sine * solved.T, axis=1) + phi @ jnp.diagonal(solved)
    return 0.5 - m / (2 * d) * change


@takes_arrays
def fastest_descent(
    x: Float[AnyArray, "n d"], m: Real, steps: int, loss: str = "squared", curvature: float = 1.0
) -> Descent:
    """Heavy ball with the learning rate and momentum that converge fastest for the kernel K.

    η = 4n/(√Λ + √λ)²/ℓ'', μ = ((√Λ − √λ)/(√Λ + √λ))² (Polyak 1964), the same rate for both
    layers, for eigenvalues in [λ, Λ] = [λ_min/2, 3λ_max/2], which leaves room for those of the
    finite-width kernel. Every step contracts the residual by √μ.

    Args:
      x: (n, d) points of norm √d; rows of zeros are left out.
      m: width; may be traced.
      steps: number of steps.
      loss: as in `Descent`.
      curvature: largest second derivative ℓ'' of the loss: 1 (squared), ¼ (logistic).

    Returns:
      A `Descent`.
    """
    check_points("x", x)
    check_integer("steps", steps)
    x, power = _scaled(x)
    covariance, hidden = _kernel_parts(x)
    here = jnp.any(x != 0, axis=1)
    eigenvalues = jnp.linalg.eigvalsh(m * covariance + hidden)
    high = jnp.sqrt(1.5 * eigenvalues[-1])
    # Rows of zeros bring eigenvalues 0, which come first.
    low = jnp.sqrt(jnp.maximum(eigenvalues[jnp.sum(1 - here.astype(int))], 0) / 2)
    return Descent(
        learning_rate=4 * len(x) / (high + low) ** 2 / curvature / power / power,
        steps=steps,
        loss=loss,
        momentum=((high - low) / (high + low)) ** 2,
    )


class Terms(NamedTuple):
    """aᵀW(W + ΔW)ᵀ(D_k + ΔD_k)(a + Δa) multiplied out, for n points.

    Each field is (n,). initial: aᵀWWᵀD_k a = S_k(0).  a, w, d: the terms linear in Δa, ΔW, ΔD_k.
    wa, da, wd, wda: those of second and third order.  error: (n,) bound on the rounding error of
    the sum of all, including neurons whose sign at x_k rounding leaves in doubt.
    """

    initial: Array
    a: Array
    w: Array
    d: Array
    wa: Array
    da: Array
    wd: Array
    wda: Array
    error: Array

    @property
    def trained(self) -> Array:
        """S*_k, the sum of all eight terms."""
        return sum(self[1:8], self.initial)

    @property
    def change(self) -> Array:
        """S*_k − S_k(0), the sum of the seven terms that training brings."""
        return sum(self[2:8], self.a)


@takes_arrays
def alignment_terms(initial: Params, trained: Params, x: Float[AnyArray, "n d"]) -> Terms:
    """The eight terms of aᵀW W*ᵀD*_k a* in ΔW = W* − W, ΔD = D* − D, Δa = a* − a, * trained.

    −W(0)ᵀa(0) separates the noise r_k of the trained network exactly when their sum is positive.

    Args:
      initial, trained: ReLU networks without biases, before and after training.
      x: (n, d) points.

    Returns:
      The `Terms`.

    Raises:
      ValueError: if x is malformed.

    Source:
      Z23 eq. 17–22.
    """
    check_points("x", x, d=initial.w.shape[1])
    m, d = initial.w.shape
    # All terms are of second degree in a and in w.
    of_w, of_a = (
        power_of_two(maximum(jnp.abs(jnp.concatenate(both))))
        for both in ((initial.w, trained.w), (initial.a, trained.a))
    )
    initial, trained = (Params(p.w / of_w, p.b / of_w, p.a / of_a) for p in (initial, trained))
    direction = initial.a @ initial.w
    delta_w, delta_a = trained.w - initial.w, trained.a - initial.a

    def columns(layers: tuple[Array, Array], v: Array, readouts: tuple[Array, Array]) -> Array:
        """(m, 4): (Wv)∘a, (Wv)∘Δa, (ΔWv)∘a, (ΔWv)∘Δa."""
        return jnp.stack([(w @ v) * a for w in layers for a in readouts], axis=1)

    per_neuron = columns((initial.w, delta_w), direction, (initial.a, delta_a))
    before = leaky_relu_derivative(pre_activations(initial, x), SLOPE)
    h = pre_activations(trained, x)
    flips = leaky_relu_derivative(h, SLOPE) - before
    s, a, w, wa = (before @ per_neuron).T
    flipped = flips @ per_neuron

    size = columns(
        (jnp.abs(initial.w), jnp.abs(delta_w)),
        jnp.abs(initial.a) @ jnp.abs(initial.w),
        (jnp.abs(initial.a), jnp.abs(delta_a)),
    )
    magnitude = (before + jnp.abs(flips)) @ jnp.sum(size, axis=1)
    in_doubt = jnp.abs(h) <= rounding_error(d + 2, jnp.abs(x) @ jnp.abs(trained.w).T)
    doubt = in_doubt.astype(x.dtype) @ jnp.abs(trained.a * (trained.w @ direction))
    error = rounding_error(2 * m + d + 16, magnitude) + doubt
    found = Terms(s, a, w, flipped[:, 0], wa, flipped[:, 1], flipped[:, 2], flipped[:, 3], error)
    unit = of_a * of_w
    terms = Terms(*(part * unit * unit for part in found))
    return terms._replace(error=terms.error + 8 * jnp.finfo(x.dtype).tiny)  # below it all is lost
