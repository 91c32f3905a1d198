"""The reference computes what the suite computes: only then is its time worth comparing."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from experiments.bench import reference  # noqa: E402
from theory import networks  # noqa: E402
from theory.infinite_width import kernels  # noqa: E402
from theory.networks.descent import Descent  # noqa: E402
from theory.networks.training import train  # noqa: E402
from theory.perturbations import attacks  # noqa: E402

N, D, M = 12, 5, 7


@pytest.fixture
def same_start(key):
    """Data, labels and one network, in both libraries, in float64."""
    keys = jax.random.split(key, 3)
    x = jax.random.normal(keys[0], (N, D))
    y = jax.random.rademacher(keys[1], (N,), float)
    params = networks.init(networks.frozen_readout(0.0), keys[2], M, D)
    network = reference.TwoLayer(D, M, slope=0.1).double()
    with torch.no_grad():
        network.hidden.weight.copy_(tensor(params.w))
        network.hidden.bias.copy_(tensor(params.b))
        network.readout.weight.copy_(tensor(params.a)[None, :])
    return x, y, params, network


def tensor(array):
    return torch.tensor(np.asarray(array))


@pytest.mark.parametrize("space", ["weights", "pre-activations"])
@pytest.mark.parametrize("loss", ["identity", "logistic"])
def test_training_gives_the_same_weights_and_outputs(same_start, loss, space):
    x, y, params, network = same_start
    ours = networks.frozen_readout(0.1)
    trained = train(ours, params, x, y, Descent(0.3, 30, loss, 0.9), space=space).params
    reference.train(network, tensor(x), tensor(y), loss, rate=0.3, momentum=0.9, steps=30)
    moved = float(jnp.linalg.norm(trained.w - params.w))
    assert moved > 0.1
    np.testing.assert_allclose(network.hidden.weight.detach(), trained.w, atol=1e-8)
    np.testing.assert_allclose(network.hidden.bias.detach(), trained.b, atol=1e-8)
    np.testing.assert_array_equal(network.readout.weight.detach()[0], params.a)
    outputs = network(tensor(x)).detach()
    np.testing.assert_allclose(outputs, networks.outputs(trained, x, 0.1), atol=1e-8)


def test_perturbations_are_the_same(same_start):
    x, y, params, network = same_start
    expected = attacks.gradient_perturbations(params, x, y, 0.7, 0.1)
    found = reference.perturbations(network, tensor(x), tensor(y), 0.7)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_initial_weights_have_their_variances():
    """Each of these sums of squares is χ² of k degrees: ±6√(2k) fails with probability < 1e-8."""
    torch.manual_seed(1)
    d, m = 40, 3000
    network = reference.TwoLayer(d, m, slope=0.0)
    assert not network.readout.weight.requires_grad
    for weights, variance in (
        (network.hidden.weight, 1 / d), (network.hidden.bias, 1.0), (network.readout.weight, 1 / m)
    ):  # fmt: skip
        degrees = weights.numel()
        total = float((weights.detach() ** 2).sum()) / variance
        assert abs(total - degrees) < 6 * (2 * degrees) ** 0.5


@pytest.mark.parametrize("slope", [0.0, 0.4])
def test_monte_carlo_kernel_estimates_the_exact_one(key, slope):
    """Means of terms in [γ², 1]: by Hoeffding all 24 are within the bound but for one in 10⁶."""
    torch.manual_seed(2)
    x, z = jax.random.normal(key, (4, 3)), jax.random.normal(jax.random.fold_in(key, 1), (6, 3))
    samples, alarm = 200_000, 1e-6
    phi = reference.features(3, samples, slope, tensor(x))
    estimate = phi(tensor(x)) @ phi(tensor(z)).T / samples
    exact = kernels.derivative_kernel(x, z, slope)
    bound = (1 - slope**2) * math.sqrt(math.log(2 * exact.size / alarm) / (2 * samples))
    assert bound < 0.01
    assert float(np.abs(estimate.numpy() - exact).max()) < bound


@pytest.mark.parametrize("batch", [3, 100])
def test_maps_are_the_sums_of_the_kernels_they_estimate(key, batch):
    keys = jax.random.split(key, 4)
    x, z = jax.random.normal(keys[0], (N, D)), jax.random.normal(keys[1], (8, D))
    y, target = (jax.random.rademacher(k, (N,), float) for k in keys[2:])
    torch.manual_seed(3)
    phi = reference.features(D, 50, 0.2, tensor(x))
    torch.manual_seed(3)
    found = reference.decision_maps(
        tensor(x), tensor(y), tensor(target), tensor(z),
        slope=0.2, epsilon=0.5, samples=50, batch=batch,
    )  # fmt: skip

    def kernel(first, second):
        return np.asarray(phi(tensor(first)) @ phi(tensor(second)).T) / 50

    q = np.array([sum(y[j] * kernel(x, x)[j, k] * x[j] for j in range(N)) / N for k in range(N)])
    r = 0.5 * np.asarray(target)[:, None] * q / np.linalg.norm(q, axis=1, keepdims=True)
    f_hat = [sum(y[k] * kernel(x, z)[k, i] * (x[k] @ z[i]) for k in range(N)) / N for i in range(8)]
    g_hat = [sum(kernel(r, z)[k, i] * (q[k] @ z[i]) for k in range(N)) / N for i in range(8)]
    np.testing.assert_allclose(found[0], f_hat, atol=1e-12)
    np.testing.assert_allclose(found[1], g_hat, atol=1e-12)


def test_a_cell_returns_shares_and_learns():
    torch.manual_seed(4)
    cell = reference.cell(
        200, 30, 50, 100, slope=0.0, loss="identity", epsilon=1.0, rate_f=0.1, rate_g=0.1,
        momentum=0.9, steps_f=50, steps_g=50,
    )  # fmt: skip
    # The classes are 2·0.3·√30 = 3.3 standard deviations apart: f is right for most of 100 points.
    assert cell.accuracy_f > 0.75
    assert all(0 <= share <= 1 for share in cell)
