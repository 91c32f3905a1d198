"""Family D, J18, L19, N20: networks of finite width against their infinite-width limit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import _neural_tangents, kernels, limits
from theory.data import data_parameter, draw
from theory.networks import Params, frozen_readout, init, outputs, split_widths
from theory.parameters import Parameters, parameter
from theory.training import descent_for_time, train
from theory.verdict import Claim
from theory.verification import Statement

# Corrections of relative order m^(−1/2) bend the line: over a factor of 16 from m = 64, by 0.02.
TOLERANCE = 0.05

SOURCE_KERNEL = "Jacot et al. 2018, Theorem 1"
SOURCE_DYNAMICS = "Lee et al. 2019, Theorem 2.1"


class WidthSetting(Parameters):
    """Networks of K24b (biases, frozen readout) at widths m_min·2^j on the same points."""

    data: Any = data_parameter("gaussian")
    n: int = parameter(8, "points", low=1)
    d: int = parameter(10, "dimension", low=1)
    slope: float = parameter(0.0, "slope γ", low=0, high=1, open_high=True)
    m_min: int = parameter(64, "smallest width", low=1)
    widths: int = parameter(6, "number of widths, each twice the one before", low=5)

    @property
    def scales(self) -> np.ndarray:
        """The widths."""
        return self.m_min * 2 ** np.arange(self.widths)


class KernelSetting(WidthSetting):
    """Finite-width kernels of random networks."""

    norm: str = parameter(
        "operator", "norm of the difference", choices=("operator", "max", "frobenius")
    )


def _networks(key: Array, config: WidthSetting, d: int) -> list[Params]:
    """Independent initial networks, one of each width."""
    widths = [int(m) for m in config.scales]
    return split_widths(init(frozen_readout(config.slope), key, sum(widths), d), widths)


def _norm(matrix: Array, kind: str) -> Array:
    if kind == "max":
        return jnp.max(jnp.abs(matrix))
    return jnp.linalg.norm(matrix, 2 if kind == "operator" else "fro")


def _kernel_errors(key: Array, config: KernelSetting) -> Float[Array, " scales"]:
    """‖Θ_m − Θ‖/‖Θ‖ on the same points at every width, with fresh weights each."""
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, config.n, config.d, queries=0).x
    limit = kernels.hidden_ntk(x, x, config.slope)

    def error(params: Params) -> Array:
        finite = kernels.finite_hidden_ntk(params, x, x, config.slope)
        return _norm(finite - limit, config.norm) / _norm(limit, config.norm)

    return jnp.stack([error(params) for params in _networks(key_init, config, x.shape[1])])


class TrainingSetting(WidthSetting):
    """Networks trained on the squared loss beside their infinite-width limit."""

    T: float = parameter(3.0, "training time T", unit="learning rate × steps", low=0, open_low=True)
    steps: int = parameter(100, "gradient steps", low=1)
    queries: int = parameter(4, "test points", low=1)
    predictor: str = parameter(
        "neural-tangents",
        "f_∞ by neural-tangents' gradient flow, or by closed form at the same learning rate",
        choices=("neural-tangents", "closed-form"),
    )


def _dynamics_errors(key: Array, config: TrainingSetting) -> Float[Array, " scales"]:
    """max over steps and test points of |f_m − f_∞| at every width, f_∞ from the same f(·; 0)."""
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, queries=config.queries)
    network = frozen_readout(config.slope)
    descent = descent_for_time(config.T, config.steps, loss="squared")
    predict = _predictor(config, x, y, z)

    def error(params: Params) -> Array:
        path = train(network, params, x, y, descent, lambda p: outputs(p, z, config.slope)).trace
        fx_train_0, fx_test_0 = outputs(params, x, config.slope), outputs(params, z, config.slope)
        return jnp.max(jnp.abs(path - predict(fx_train_0, fx_test_0)))

    return jnp.stack([error(params) for params in _networks(key_init, config, x.shape[1])])


def _predictor(config: TrainingSetting, x: Array, y: Array, z: Array) -> Any:
    """(f(x; 0), f(z; 0)) → (steps, q) outputs of the infinitely wide network after each step."""
    descent = descent_for_time(config.T, config.steps, loss="squared")
    if config.predictor == "closed-form":
        k_train_train = kernels.hidden_ntk(x, x, config.slope)
        k_test_train = kernels.hidden_ntk(z, x, config.slope)

        def by_closed_form(fx_train_0: Array, fx_test_0: Array) -> Array:
            return limits.function_space_descent(
                k_train_train, k_test_train, y, descent, fx_train_0, fx_test_0
            ).test

        return by_closed_form
    nt = _neural_tangents.load()
    _, _, kernel_fn = kernels.stax_network(config.slope)
    k_train_train, k_test_train = kernel_fn(x, None, "ntk"), kernel_fn(z, x, "ntk")
    flow = nt.predict.gradient_descent_mse(k_train_train, y[:, None])
    times = descent.learning_rate * jnp.arange(1.0, config.steps + 1)

    def by_neural_tangents(fx_train_0: Array, fx_test_0: Array) -> Array:
        _, fx_test = flow(times, fx_train_0[:, None], fx_test_0[:, None], k_test_train)
        return fx_test[..., 0]

    return by_neural_tangents


STATEMENTS = (
    Statement(
        id="ntk.kernel-convergence",
        kind="rate",
        title="the finite-width NTK approaches its limit like m^(−1/2)",
        says="‖Θ_m − Θ‖/‖Θ‖ = Θ(m^{−1/2}) at initialization, Θ_m the NTK of the hidden layer of a "
        "network of width m. Two-sided: the fitted exponent must be −1/2, "
        "within 0.05 for what finite widths bend it.",
        source=SOURCE_KERNEL,
        sample=_kernel_errors,
        quantity=lambda errors: errors,
        claim=lambda config: Claim(-0.5, 0.15, name="exponent", tolerance=TOLERANCE),
        scales=lambda config: config.scales,
        config=KernelSetting(),
        draws={"quick": 400, "full": 5000},
        data=True,
    ),
    Statement(
        id="ntk.training-dynamics",
        kind="rate",
        title="training approaches the infinite-width dynamics like m^(−1/2)",
        says="sup over t ≤ T and test points of |f_m(z; t) − f_∞(z; t)| = Θ(m^{−1/2}) under the "
        "squared loss, f_∞ from the infinite-width NTK with the same initial outputs and the same "
        "learning rate. Two-sided: the fitted exponent must be −1/2, "
        "within 0.05 for what finite widths bend it.",
        source=SOURCE_DYNAMICS,
        sample=_dynamics_errors,
        quantity=lambda errors: errors,
        claim=lambda config: Claim(-0.5, 0.15, name="exponent", tolerance=TOLERANCE),
        scales=lambda config: config.scales,
        config=TrainingSetting(widths=5),
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
)
