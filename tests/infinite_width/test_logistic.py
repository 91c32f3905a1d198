"""What errors of the outputs do to weights under the logistic loss."""

import jax.numpy as jnp
import numpy as np
import scipy.special

from theory.infinite_width import kernels, logistic


def test_logistic_response_bounds_disturbed_function_space_descent():
    """Outputs disturbed by at most B_k, constantly or at random: k_α(z) moves by no more.

    The worst disturbance found moves it by more than a tenth of the bound: not a bound of anything.
    """
    rng = np.random.default_rng(9)
    x, z, y = rng.normal(size=(6, 3)), rng.normal(size=(3, 3)), np.tile([1.0, -1.0], 3)
    kernel = np.asarray(kernels.hidden_ntk(jnp.array(x), jnp.array(x), 0.2))
    to_z = np.asarray(kernels.hidden_ntk(jnp.array(x), jnp.array(z), 0.2))
    diagonal = 1.04 / 2 * np.sum(z**2 + 0, axis=1) + 1.04 / 2
    size, steps, time = rng.uniform(0.1, 0.5, 6), 40, 4.0

    def end(disturbance):
        weights = np.zeros(6)
        for j in range(steps):
            f = kernel @ (y * weights) / 6 + disturbance[j]
            weights = weights + time / steps * scipy.special.expit(-y * f)
        return to_z.T @ (y * weights) / 6

    clean = end(np.zeros((steps, 6)))
    limit = np.asarray(
        logistic.logistic_response(
            jnp.array(kernel), jnp.array(diagonal), jnp.array(size), time, time / steps
        )
    )
    signs = [np.tile(s, (steps, 1)) for s in rng.choice([-1.0, 1.0], size=(200, 6))]
    signs += list(rng.choice([-1.0, 1.0], size=(50, steps, 6)))
    moved = np.max([np.abs(end(s * size) - clean) for s in signs], axis=0)
    assert (moved <= limit).all()
    assert (moved > limit / 10).any()
    assert np.isinf(
        logistic.logistic_response(
            jnp.array(kernel), jnp.array(diagonal), jnp.array(size), time, 1e3
        )
    ).all()
