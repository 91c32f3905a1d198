"""The limit m → ∞: kernels, training in it, corrections to it and bounds on what it leaves out.

`kernels` has the arc-cosine and tangent kernels, `lazy` the limits of K24b, `function_space`
descent on outputs, `gaussian` the law of trained networks, `corrections` the first order in 1/m,
`bounds` explicit constants, `discretization` the distance of descent to its flow, `crossings` how
many activations change, and `maps` all of it on planes of points.
`hermite` has kernels of unit points as power series, `mean_field` the limit of networks scaled by
1/N.
"""

from theory.infinite_width._angles import angle as angle
from theory.infinite_width.bounds import OutputBound as OutputBound
from theory.infinite_width.bounds import certified_bound as certified_bound
from theory.infinite_width.bounds import certified_exponents as certified_exponents
from theory.infinite_width.bounds import certified_failure as certified_failure
from theory.infinite_width.bounds import chi_square_deviation as chi_square_deviation
from theory.infinite_width.bounds import crossing_probability as crossing_probability
from theory.infinite_width.bounds import crossing_ratio as crossing_ratio
from theory.infinite_width.bounds import fourth_crossing as fourth_crossing
from theory.infinite_width.bounds import initial_bound as initial_bound
from theory.infinite_width.bounds import normal_quantile as normal_quantile
from theory.infinite_width.bounds import output_bound as output_bound
from theory.infinite_width.bounds import output_exponent as output_exponent
from theory.infinite_width.bounds import reach as reach
from theory.infinite_width.bounds import reach_of as reach_of
from theory.infinite_width.bounds import round_up as round_up
from theory.infinite_width.bounds import uniform_bound as uniform_bound
from theory.infinite_width.bounds import uniform_exponents as uniform_exponents
from theory.infinite_width.bounds import weighted_crossing as weighted_crossing
from theory.infinite_width.bounds import weighted_deviation as weighted_deviation
from theory.infinite_width.corrections import kernel_variance as kernel_variance
from theory.infinite_width.corrections import kink_correction as kink_correction
from theory.infinite_width.corrections import smooth_correction as smooth_correction
from theory.infinite_width.crossings import ChangedShare as ChangedShare
from theory.infinite_width.crossings import changed_share as changed_share
from theory.infinite_width.crossings import displacements as displacements
from theory.infinite_width.discretization import (
    descent_from_flow_logistic as descent_from_flow_logistic,
)
from theory.infinite_width.discretization import descent_from_flow_mse as descent_from_flow_mse
from theory.infinite_width.function_space import FunctionSpacePath as FunctionSpacePath
from theory.infinite_width.function_space import function_space_descent as function_space_descent
from theory.infinite_width.function_space import function_space_weights as function_space_weights
from theory.infinite_width.function_space import gradient_flow_mse as gradient_flow_mse
from theory.infinite_width.gaussian import Limit as Limit
from theory.infinite_width.gaussian import limit as limit
from theory.infinite_width.gaussian import probability_of_plus as probability_of_plus
from theory.infinite_width.kernels import Pairs as Pairs
from theory.infinite_width.kernels import derivative_kernel as derivative_kernel
from theory.infinite_width.kernels import derivative_kernel_at as derivative_kernel_at
from theory.infinite_width.kernels import (
    derivative_kernel_by_neural_tangents as derivative_kernel_by_neural_tangents,
)
from theory.infinite_width.kernels import erf_derivative_kernel as erf_derivative_kernel
from theory.infinite_width.kernels import erf_nngp as erf_nngp
from theory.infinite_width.kernels import finite_hidden_ntk as finite_hidden_ntk
from theory.infinite_width.kernels import finite_ntk as finite_ntk
from theory.infinite_width.kernels import hidden_ntk as hidden_ntk
from theory.infinite_width.kernels import network_ntk as network_ntk
from theory.infinite_width.kernels import nngp as nngp
from theory.infinite_width.kernels import ntk as ntk
from theory.infinite_width.kernels import pairs as pairs
from theory.infinite_width.kernels import stax_network as stax_network
from theory.infinite_width.lazy import absolute_cosine_law as absolute_cosine_law
from theory.infinite_width.lazy import beta as beta
from theory.infinite_width.lazy import cosine_law as cosine_law
from theory.infinite_width.lazy import cosine_law_tolerance as cosine_law_tolerance
from theory.infinite_width.lazy import f_hat as f_hat
from theory.infinite_width.lazy import g_hat as g_hat
from theory.infinite_width.lazy import initial_excess_kurtosis as initial_excess_kurtosis
from theory.infinite_width.lazy import initial_gradient_variance as initial_gradient_variance
from theory.infinite_width.lazy import kappa as kappa
from theory.infinite_width.lazy import mean_gradients as mean_gradients
from theory.infinite_width.lazy import product_sizes as product_sizes
from theory.infinite_width.lazy import published_thresholds as published_thresholds
from theory.infinite_width.lazy import signal as signal
from theory.infinite_width.lazy import signal_gradients as signal_gradients
from theory.infinite_width.logistic import logistic_response as logistic_response
from theory.infinite_width.logistic import logistic_spare as logistic_spare
from theory.infinite_width.maps import Plane as Plane
from theory.infinite_width.maps import Projected as Projected
from theory.infinite_width.maps import class_means_axes as class_means_axes
from theory.infinite_width.maps import class_means_plane as class_means_plane
from theory.infinite_width.maps import f_hat_map as f_hat_map
from theory.infinite_width.maps import g_hat_map as g_hat_map
from theory.infinite_width.maps import kernel_map as kernel_map
from theory.infinite_width.maps import output_map as output_map
from theory.infinite_width.maps import plane as plane
from theory.infinite_width.maps import project as project
from theory.infinite_width.maps import signal_map as signal_map
from theory.infinite_width.mean_field import MeanFieldRisks as MeanFieldRisks
from theory.infinite_width.mean_field import mean_field_risks as mean_field_risks
