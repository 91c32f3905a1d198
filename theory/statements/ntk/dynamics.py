"""Family D, L19, N20: training at finite width against the infinite-width dynamics."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory._types import Real
from theory.data.sampling import Points, data_parameter, draw
from theory.infinite_width import _neural_tangents, discretization, function_space, kernels
from theory.margins import Margin, exceeds, margin, rounding_error
from theory.networks.descent import descent_for_time
from theory.networks.network import apply, frozen_readout, init
from theory.parameters import Parameters
from theory.statements.ntk.widths import (
    STABLE,
    TOLERANCE,
    Rates,
    Seen,
    TrainedNetwork,
    TrainingSetting,
    path_rounding,
    rates,
    variants,
)
from theory.verification.claims import Claim
from theory.verification.domains import Reals, Signs
from theory.verification.kinds import Deterministic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement


def _limit_error(trained: TrainedNetwork) -> Seen:
    """(1,) max over steps and test points of |f_m − f_∞|, f_∞ from the same f(·; 0)."""
    network, x, z = trained.variant.network, trained.x, trained.z
    limit = function_space.function_space_descent(
        kernels.network_ntk(network, x, x),
        kernels.network_ntk(network, z, x),
        trained.y,
        trained.descent,
        apply(network, trained.start, x),
        apply(network, trained.start, z),
    )
    apart = maximum(jnp.abs(trained.path - limit.test))
    return Seen(apart[None], path_rounding(trained)[None])


class PredictorSetting(Parameters):
    """The infinite-width network trained for time T, by both predictors."""

    data: Any = data_parameter("gaussian")
    n: int = fields.points(8)
    d: int = fields.dimension(10)
    slope: float = fields.slope(0.0)
    T: float = fields.training_time(3.0)
    steps: int = fields.steps(200, "gradient steps of the discrete predictor")
    queries: int = fields.queries(4, "test points")


class Spectrum(NamedTuple):
    """The infinite-width kernels K = (n, n) and (q, n) of the points, and the spectrum of K.

    eigenvalues: (n,) ascending.  step: learning rate / n.
    """

    kernel: Float[Array, "n n"]
    to_test: Float[Array, "q n"]
    eigenvalues: Float[Array, " n"]
    eigenvalue_error: Float[Array, ""]
    step: Float[Array, ""]


class Predictions(NamedTuple):
    """Test outputs (q,) at time T, and what separates them at most.

    theirs: squared loss, gradient flow by neural-tangents.  ours: the same by us.
    descent: squared loss, gradient descent.  their_logistic, logistic_descent: logistic loss.
    rounding: bound on |theirs − ours|.  discretization, logistic_discretization: bounds on what
    flow and descent are apart.
    """

    theirs: Float[Array, " q"]
    ours: Float[Array, " q"]
    descent: Float[Array, " q"]
    their_logistic: Float[Array, " q"]
    logistic_descent: Float[Array, " q"]
    rounding: Float[Array, " q"]
    discretization: Float[Array, " q"]
    logistic_discretization: Float[Array, " q"]


# jax.experimental.ode.odeint, which neural-tangents calls, accepts this error in a step, relative
# and absolute; it takes fewer than this many steps on problems as mild as these.
ODE_TOLERANCE, ODE_STEPS = 1.4e-8, 1000


def _flow_rounding(kernel: Array, to_test: Array, residual: Array, time: Real) -> Array:
    """Bound on the rounding error of K_z g(K)(y − f_0), g(λ) = (1 − e^{−λt})/λ = ∫₀ᵗ e^{−λs}ds.

    Eigenvalues and eigenvectors are those of K + E, ‖E‖ ≤ c·n·ε‖K‖ (c = 20 is generous), and
    ‖g(K + E) − g(K)‖ ≤ (t²/2)‖E‖; the products round n times more, relative to ‖g(K)‖ ≤ t.
    """
    n = len(kernel)
    size = jnp.linalg.norm(to_test, axis=1) * jnp.linalg.norm(residual)
    return rounding_error(20 * n, size * (time + time**2 / 2 * jnp.linalg.norm(kernel)))


def _points(key: Array, earlier: Staged, config: PredictorSetting) -> Points:
    return draw(key, config.data, config.n, config.d, queries=config.queries).points


def _spectrum(key: Array, earlier: Staged, config: PredictorSetting) -> Spectrum:
    x, _, z = earlier.points
    network = frozen_readout(config.slope)
    kernel = kernels.network_ntk(network, x, x)
    return Spectrum(
        kernel,
        kernels.network_ntk(network, z, x),
        jnp.linalg.eigvalsh(kernel),
        # Every entry rounds 3(d + 12) times, and all n² together are below the trace in size.
        rounding_error(20 * config.n + 3 * x.shape[1] + 36, jnp.trace(kernel)),
        jnp.asarray(config.T / config.steps / config.n, x.dtype),
    )


def _predictions(key: Array, earlier: Staged, config: PredictorSetting) -> Predictions:
    (x, y, z), (kernel, to_test, *_, step) = earlier.points, earlier.spectrum
    network = frozen_readout(config.slope)
    params = init(network, key, 64, x.shape[1])
    at_x, at_z = apply(network, params, x), apply(network, params, z)

    predict = _neural_tangents.load().predict
    initial = (at_x[:, None], at_z[:, None], to_test)
    time = jnp.asarray(config.T, x.dtype)
    flow = predict.gradient_descent_mse(kernel, y[:, None])
    logistic_flow = predict.gradient_descent(
        lambda fx, labels: jnp.mean(jax.nn.softplus(-labels * fx)), kernel, y[:, None]
    )

    def descend(loss: str) -> Array:
        descent = descent_for_time(config.T, config.steps, loss=loss)
        path = function_space.function_space_descent(kernel, to_test, y, descent, at_x, at_z)
        return path.test[-1]

    return Predictions(
        theirs=flow(time, *initial)[1][:, 0],
        ours=function_space.gradient_flow_mse(kernel, to_test, y, config.T, at_x, at_z),
        descent=descend("squared"),
        their_logistic=logistic_flow(time, *initial)[1][:, 0],
        logistic_descent=descend("logistic"),
        rounding=_flow_rounding(kernel, to_test, y - at_x, config.T / config.n)
        + rounding_error(4, jnp.abs(at_z)),
        discretization=discretization.descent_from_flow_mse(
            kernel, to_test, y - at_x, step, config.steps
        ),
        logistic_discretization=discretization.descent_from_flow_logistic(
            kernel, jnp.diagonal(kernels.network_ntk(network, z, z)), y, at_x, step, config.steps
        ),
    )


def _agreement(instance: Staged, _: object) -> Margin:
    """Every bound exceeds the difference it is on; the error is what computing both costs."""
    i: Predictions = instance.prediction
    spectrum: Spectrum = instance.spectrum
    condition = jnp.sqrt(spectrum.eigenvalues[-1] / spectrum.eigenvalues[0])
    accuracy = jnp.maximum(ODE_TOLERANCE, jnp.finfo(condition.dtype).eps)
    ode = ODE_STEPS * accuracy * (1 + jnp.abs(i.their_logistic)) * condition
    bound = (i.rounding, i.discretization, i.logistic_discretization)
    difference = (i.theirs - i.ours, i.descent - i.theirs, i.logistic_descent - i.their_logistic)
    difference = jnp.abs(jnp.concatenate(difference))
    # Descent rounds in every step, by less than the whole flow does.
    error = (0 * i.rounding, i.rounding / spectrum.step, i.rounding / spectrum.step + ode)
    bound = jnp.concatenate(bound)
    difference = jnp.maximum(difference, jnp.finfo(bound.dtype).eps * bound)  # 0 has no ratio
    return exceeds(bound, difference, jnp.concatenate(error)).all()


def _positive(instance: Staged, _: object) -> Margin:
    return margin(instance.spectrum.eigenvalues[0], instance.spectrum.eigenvalue_error)


def _stable(instance: Staged, _: object) -> Margin:
    spectrum: Spectrum = instance.spectrum
    largest = spectrum.step * spectrum.eigenvalues[-1]
    return exceeds(
        1.0, largest, spectrum.step * spectrum.eigenvalue_error + rounding_error(4, largest)
    )


STATEMENTS = (
    Statement[TrainingSetting, Rates](
        id="ntk.training-dynamics",
        title="training approaches the infinite-width dynamics like m^(−1/2)",
        says="sup over t ≤ T and test points of |f_m(z; t) − f_∞(z; t)| = Θ(m^{−1/2}), f_∞ from "
        "the infinite-width NTK with the same initial outputs and the same learning rate, step for "
        "step; for frozen readout (K24b) and for all weights trained (Z23, the readout at 1/m of "
        "the learning rate), on two losses. Two-sided: the fitted "
        "exponents must be −1/2, within 0.05 for what finite widths bend them.",
        source="Lee et al. 2019, Theorem 2.1",
        sample=rates(_limit_error),
        hypotheses=STABLE,
        claim=Rate(
            quantity=lambda instance, _: instance.found,
            claims=lambda config: tuple(
                Claim(-0.5, 0.1, name=f"exponent ({v.name})", tolerance=TOLERANCE)
                for v in variants(config)
            ),
            scales=lambda config: config.scales,
        ),
        config=TrainingSetting(data="sphere"),
        draws={"quick": 400, "full": 4000},
        data=True,
    ),
    Statement[PredictorSetting, Staged](
        id="ntk.predictors-agree",
        title="both predictors of the infinitely wide network agree",
        says="With the same kernel and initial outputs: (1) gradient flow under the squared loss "
        "by neural-tangents and by us is the same to rounding; (2) our gradient descent differs "
        "from it by Σ_i |K_z v_i||⟨v_i, y − f_0⟩| J(x_i²/2)e^{−(J−1)x_i}/λ_i at most, "
        "x_i = λ_iη/n; (3) under the logistic loss it differs from neural-tangents' flow by "
        "√K(z, z)·J(η/n)²λ_max/8·√(sᵀKs) at most, s_k = y_k ℓ'(−y_k f_0(x_k)).",
        source="Lee et al. 2019, eq. 8–11; Novak et al. 2020",
        stages={"points": _points, "spectrum": _spectrum, "prediction": _predictions},
        domain={"x": Reals(), "y": Signs(), "z": Reals()},
        hypotheses={
            "stable steps": Hypothesis(_stable, "λ_max·η/n < 1", stage="spectrum"),
            "positive definite": Hypothesis(_positive, "λ_min(K) > 0", stage="spectrum"),
        },
        claim=Deterministic(conclusion=_agreement),
        config=PredictorSetting(),
        draws={"quick": 50, "full": 1000},
        data=True,
        batch=1,  # several batched decompositions at once can block JAX's CPU thread pool for good
    ),
)
