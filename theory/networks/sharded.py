"""Initial weights drawn where they live."""

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from theory._validation import check_integer, takes_arrays
from theory.networks.network import Network, Params, init


@takes_arrays
def sharded_init(mesh: Mesh, network: Network, key: Array, m: int, d: int) -> Params:
    """`networks.init`, every device drawing its own neurons: the same weights, bit by bit.

    Args:
      mesh: from `make_mesh`.
      network, key, m, d: as for `init`.

    Returns:
      The `Params`, split over the axis "neurons": no device ever holds all of them.

    Raises:
      ValueError: as `init` does, or if the devices of "neurons" do not divide m.
    """
    split = mesh.shape["neurons"]
    if check_integer("m", m) % split:
        raise ValueError(f"m must be a multiple of the {split} devices of neurons, got {m}")
    sharding = NamedSharding(mesh, PartitionSpec("neurons"))
    return jax.jit(init, static_argnums=(0, 2, 3), out_shardings=sharding)(network, key, m, d)
