"""Inner products of training points, and what pre-activations gain by pushes along the points."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory._types import AnyArray
from theory.networks.embedding import biased_products
from theory.networks.network import Network


class Products(NamedTuple):
    """Products of points, ⟨x_j, x_k⟩ + 1 (without the 1 where there are no biases).

    gram: (n, n) the products.  embedded: (n, e) points whose inner products they are.
    """

    gram: Array
    embedded: Array

    @property
    def entries(self) -> int:
        """Multiplications by which a push along all points moves one neuron at one point."""
        n, columns = self.embedded.shape
        return min(2 * columns, n)

    def pushed(self, push: Array) -> Array:
        """(…, n) Σ_k push_k (⟨x_k, ·⟩ + 1)."""
        n, columns = self.embedded.shape
        if 2 * columns < n:
            return push @ self.embedded @ self.embedded.T
        return along(push, self.gram)

    def one_by_one(self, push: Array, count: Array) -> Array:
        """The same for so many entries that are not 0."""
        columns = jnp.arange(len(push))

        def add(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            total, last, left = state
            k = jnp.min(jnp.where((push != 0) & (columns > last), columns, len(push) - 1))
            return total + push[k] * self.gram[k], k, left - 1

        first = (jnp.zeros_like(push), jnp.full_like(columns[0], -1), count)
        return jax.lax.while_loop(lambda state: state[-1] > 0, add, first)[0]


THIN, LARGE = 8, 2048  # rows of a push at most n/8, of so many points at least


def along(push: Array, gram: Array) -> Array:
    """(…, n) Σ_k push_k gram_k, for a symmetric matrix.

    Few rows times a large matrix run at half the rate of its product with their transpose, on CPUs;
    the barrier keeps the compiler from writing the one as the other.
    """
    if push.ndim == 2 and len(gram) >= LARGE and THIN * len(push) <= len(gram):
        return jax.lax.optimization_barrier(gram @ push.T).T
    return push @ gram


def products_of(network: Network, x: AnyArray, gram: AnyArray | None = None) -> Products:
    """The `Products` that training of the network needs; gram where it is known."""
    bias = "b" in network.trained
    embedded = jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1) if bias else jnp.asarray(x)
    gram = biased_products(x, x, bias) if gram is None else gram
    return Products(jnp.asarray(gram), embedded)
