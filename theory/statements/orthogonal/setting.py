"""Settings and samplers that the statements of the family share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory import fields
from theory._scaling import minimum
from theory.certificates import max_margin
from theory.certificates.max_margin import Solved
from theory.data.sampling import data_parameter
from theory.margins import Margin, margin
from theory.networks.descent import Descent
from theory.networks.network import Params, fixed_signs, init, outputs
from theory.networks.training import train
from theory.parameters import Parameters, parameter

SOURCE = "Kumano et al. 2024a, Frei et al. 2023"
OURS = "ours, from Frei et al. 2023"
CAVEAT = (
    "reconstructed: the theorems of Kumano et al. 2024a could not be read, only summaries and the "
    "published code, so that the form tested may not be the printed one"
)

TRAINED_MARGIN = 10.0  # y_k f(x_k) ≥ 10, a loss of e^{−10}, before anything is said about t → ∞


class DataSetting(Parameters):
    """Training points whose multipliers λ are computed in closed form."""

    data: Any = data_parameter("near-orthogonal")
    n: int = fields.points(8)
    d: int = fields.dimension(64)
    slope: float = fields.slope(0.5, open_low=True)
    load: float = parameter(
        0.9, "p_max of near-orthogonal data over the largest allowed, γ³R²/(3n)", low=0
    )

    @property
    def p_max(self) -> Any:
        """p_max relative to R² that makes the ratio of near-orthogonality equal 1/load."""
        return self.load * self.slope**3 / (3 * self.n)


class TrainedSetting(DataSetting):
    """A network trained on log L, so that training time grows exponentially with the steps."""

    m: int = fields.width(20, "width, even", even=True)
    scale: float = fields.initial_scale(0.001)
    loss: str = fields.loss("exponential", ("exponential", "logistic"))
    steps: int = fields.steps(2000, "gradient steps on log L, down to a multiple of four", low=4)
    learning_rate: float = fields.log_loss_rate(1.0)
    queries: int = fields.queries(16)
    tie: float = parameter(
        0.01, "queries with |cos(q, z)|·√d below this are ties and not asked", low=0
    )


class Trained(NamedTuple):
    """A solved instance with a trained network beside it.

    x_span: (n, e) the training points in coordinates of the span, in which training went on.
    params: final weights, in the same coordinates.
    cone: smallest depth inside the cone halfway, after three quarters and at the end of training.
    z: (q, d) queries.
    v: (q,) outputs at the queries over the training margin.
    missing: (q,) what may be missing from v to t → ∞; infinite where that is not known.
    """

    solved: Solved
    x_span: Float[Array, "n e"]
    params: Params
    cone: Float[Array, ""]
    z: Float[Array, "q d"]
    v: Float[Array, " q"]
    missing: Float[Array, " q"]


class Far(NamedTuple):
    """What training to log time ∝ steps leaves; the fields of `Trained` of the same names.

    halfway: (m, e) hidden weights after half of the steps.
    """

    params: Params
    halfway: Float[Array, "m e"]
    cone: Float[Array, ""]
    v: Float[Array, " q"]
    missing: Float[Array, " q"]


def train_far(key: Array, x: Array, y: Array, z: Array, d: int, config: TrainedSetting) -> Far:
    """Trains on points in ℝ^e that stand for points in ℝ^d, to log time ∝ steps.

    The output is normalized by the training margin, v(z) = f(z)/min_k y_k f(x_k). Directions
    converge like 1/log t, so what is missing to the limit is about v_K − v_{K/2}; twice that is
    taken as the error of v_K. It does not refer to the closed form that is being tested. Where the
    1/log t law does not show yet, that is |v_K − v_{K/2}| > ¾|v_{K/2} − v_{K/4}| (it would be ½),
    or some training margin is below `TRAINED_MARGIN`, nothing is known of the limit: undecided.
    """
    network = fixed_signs(config.slope, config.scale * (x.shape[1] / d) ** 0.5)
    params = init(network, key, config.m, x.shape[1])
    rate = config.learning_rate / jnp.max(jnp.sum(x**2, axis=1))
    descent = Descent(rate, config.steps // 4, config.loss, log_loss=True)

    def quarter(params: Params, _: None) -> tuple[Params, Any]:
        params = train(network, params, x, y, descent).params
        training_margin = minimum(y * outputs(params, x, config.slope))
        seen = (
            training_margin,
            outputs(params, z, config.slope) / training_margin,
            max_margin.inside_cone(params, x, y),
            params.w,
        )
        return params, seen

    params, (training_margin, v, cone, w) = jax.lax.scan(quarter, params, length=4)
    late, early = jnp.abs(v[3] - v[1]), jnp.abs(v[1] - v[0])
    settling = jnp.linalg.norm(late) <= 0.75 * jnp.linalg.norm(early)
    known = settling & (training_margin[3] > TRAINED_MARGIN) & (training_margin[1] > 0)
    return Far(params, w[1], minimum(cone[1:]), v[3], jnp.where(known, 2 * late, jnp.inf))


def sample_trained(key: Array, solved: Solved, config: TrainedSetting) -> Trained:
    """Trains on the points of a solved instance.

    Queries are Gaussian: "at every z" is asked of points that know nothing of the data.
    """
    return sample_halfway(key, solved, config)[0]


def sample_halfway(
    key: Array, solved: Solved, config: TrainedSetting
) -> tuple[Trained, Float[Array, "m e"]]:
    """The network of `sample_trained`, and its hidden weights after half of the steps."""
    key_z, key_init = jax.random.split(key)
    x = solved.x
    z = jax.random.normal(key_z, (config.queries, x.shape[1])) * root_mean_square(x)
    x_span, z_span = max_margin.same_span(x, z)
    far = train_far(key_init, x_span, solved.y, z_span, x.shape[1], config)
    return Trained(solved, x_span, far.params, far.cone, z, far.v, far.missing), far.halfway


def ties(normal: Array, z: Array, tie: Any) -> Bool[Array, " q"]:
    """Queries of which a boundary says nothing: |cos(q, z)|·√d ≤ tie."""
    size = jnp.linalg.norm(normal) * jnp.linalg.norm(z, axis=1)
    return jnp.abs(z @ normal) * z.shape[1] ** 0.5 <= tie * size


def agreement(trained: Trained, config: TrainedSetting) -> Margin:
    """sgn f(z; t → ∞) = sgn⟨q, z⟩ at every query that is no tie."""
    normal = trained.solved.limit.normal
    signed = jnp.sign(trained.z @ normal) * trained.v
    tied = ties(normal, trained.z, config.tie)
    value, error = jnp.where(tied, jnp.inf, signed), jnp.where(tied, 0, trained.missing)
    return margin(value, error, infinite=True).all()


def root_mean_square(x: Array) -> Array:
    """Root mean square of all coordinates."""
    return jnp.sqrt(jnp.mean(x**2))
