"""How far gradient descent is from gradient flow in function space: explicit bounds.

Both start at f(·; 0) and follow −∇L, L = (1/n) Σ_k ℓ(−y_k f(x_k)), in the space of the kernel K:
flow for the time T, descent in J steps of η = T/J. Derivations in docs/statements/ntk.md.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import takes_arrays


@takes_arrays
def descent_from_flow_mse(
    k_train_train: Float[AnyArray, "n n"],
    k_test_train: Float[AnyArray, "q n"],
    residual: Float[AnyArray, " n"],
    step: Real,
    steps: int,
) -> Float[Array, " q"]:
    """|f_J(z) − f(z; T)| ≤ Σ_i |K_z v_i||⟨v_i, y − f_0⟩| J(x_i²/2)e^{−(J−1)x_i}/λ_i, x_i = λ_iη/n.

    Under the squared loss ½(f − y)², λ_i and v_i the eigenvalues and eigenvectors of K, because
    0 ≤ e^{−Jx} − (1 − x)^J ≤ J e^{−(J−1)x} x²/2 for 0 ≤ x ≤ 1.

    Args:
      k_train_train, k_test_train: (n, n), (q, n) kernel matrices.
      residual: (n,) y − f_0.
      step: η/n, with λ_max·η/n ≤ 1.
      steps: J.

    Returns:
      (q,) bounds.
    """
    eigenvalues, basis = jnp.linalg.eigh(k_train_train)
    x = jnp.maximum(eigenvalues, 0) * step
    gain = steps * step * x / 2 * jnp.exp(-(steps - 1) * x)
    return jnp.abs(k_test_train @ basis) @ (jnp.abs(basis.T @ residual) * gain)


@takes_arrays
def descent_from_flow_logistic(
    k_train_train: Float[AnyArray, "n n"],
    k_test: Float[AnyArray, " q"],
    y: Float[AnyArray, " n"],
    fx_train_0: Float[AnyArray, " n"],
    step: Real,
    steps: int,
) -> Float[Array, " q"]:
    """|f_J(z) − f(z; T)| ≤ √K(z, z)·J(η/n)²λ_max/8·√(sᵀKs), s_k = y_k ℓ'(−y_k f_0(x_k)).

    Under the logistic loss, which is convex and λ_max/(4n)-smooth in the space of K: a step of
    descent brings no two functions further apart, and differs from flow by (η²/2)‖f''‖ at most.

    Args:
      k_train_train: (n, n) kernel matrix.
      k_test: (q,) K(z, z).
      y: (n,) labels ±1.
      fx_train_0: (n,) initial outputs.
      step: η/n, with λ_max·η/n ≤ 8.
      steps: J.

    Returns:
      (q,) bounds.
    """
    largest = jnp.linalg.eigvalsh(k_train_train)[-1]
    pull = y * jax.nn.sigmoid(-y * fx_train_0)
    speed = jnp.sqrt(jnp.maximum(pull @ k_train_train @ pull, 0))
    return jnp.sqrt(k_test) * (steps * step * (step * largest) / 8 * speed)
