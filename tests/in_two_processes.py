"""What `test_sharding.py` runs in each of two processes: the command, then training across them."""

import sys

import jax
import numpy as np

from experiments.command import main
from theory.networks.descent import Descent
from theory.networks.network import frozen_readout, init
from theory.networks.sharded import sharded_init
from theory.networks.training import train
from theory.parallel import gathered, make_mesh, place, sum_over

status = main.main(sys.argv[1:])
assert status == 0

key, network = jax.random.key(1), frozen_readout()
mesh = make_mesh(draws=1, neurons=2, data=2)
# Neurons lie across the two processes, points inside each; and the other way round.
crossed = jax.sharding.Mesh(np.swapaxes(mesh.devices, 1, 2), mesh.axis_names)
x = jax.random.normal(key, (8, 4))
y = np.where(np.arange(8) < 4, 1.0, -1.0)
descent = Descent(0.1, 20, "logistic", momentum=0.9)
alone = train(network, init(network, key, 16, 4), x, y, descent)
for one in (mesh, crossed):
    assert not place(one, x, "data").is_fully_addressable or one is mesh
    params = sharded_init(one, network, key, 16, 4)
    together = train(network, params, *place(one, (x, y), "data"), descent)
    for got, wanted in zip(
        jax.tree.leaves(gathered(together)), jax.tree.leaves(alone), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)

drawn = [jax.random.normal(jax.random.fold_in(key, i), (3,)) for i in range(5)]
total = jax.jit(
    lambda: sum_over(mesh, lambda i: jax.random.normal(jax.random.fold_in(key, i), (3,)), 5)
)()
np.testing.assert_allclose(total, np.sum(drawn, axis=0), rtol=0, atol=1e-13)
