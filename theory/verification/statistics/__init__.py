"""Failure counts, the draws it takes, intervals of means, distances of laws, fitted
rates and decays, and sequences that hold at any time."""

from theory.verification.statistics.decays import FittedDecay as FittedDecay
from theory.verification.statistics.decays import decay_rate as decay_rate
from theory.verification.statistics.decays import fit_decay as fit_decay
from theory.verification.statistics.laws import Distance as Distance
from theory.verification.statistics.laws import law_distance as law_distance
from theory.verification.statistics.laws import law_radius as law_radius
from theory.verification.statistics.laws import law_radius_at_any_time as law_radius_at_any_time
from theory.verification.statistics.means import MeanEstimate as MeanEstimate
from theory.verification.statistics.means import mean_interval as mean_interval
from theory.verification.statistics.power import detectable_rate as detectable_rate
from theory.verification.statistics.power import draws_for_power as draws_for_power
from theory.verification.statistics.probabilities import Interval as Interval
from theory.verification.statistics.probabilities import (
    clopper_pearson as clopper_pearson,
)
from theory.verification.statistics.probabilities import (
    poisson_binomial_tail as poisson_binomial_tail,
)
from theory.verification.statistics.rates import FittedRate as FittedRate
from theory.verification.statistics.rates import fit_rate as fit_rate
from theory.verification.statistics.sequences import Sequence as Sequence
from theory.verification.statistics.sequences import failure_e_value as failure_e_value
from theory.verification.statistics.sequences import mean_sequence as mean_sequence
from theory.verification.statistics.sequences import rate_sequence as rate_sequence
