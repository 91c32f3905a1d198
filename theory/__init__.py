"""widetheory: theorems about wide neural networks, checked numerically.

Pure functions on arrays: nothing here reads files, draws figures or prints. The parts:
networks, kernels, training, limits, maps, bounds, laws, linear_solve, max_margin, cone, attacks,
alignment, perturbed, projections, separability, data and perturbation_learning compute; evidence,
verdict and verification judge; statements is the registry.
"""

from theory.claims import Claim as Claim
from theory.data import Dataset as Dataset
from theory.evidence import Margin as Margin
from theory.evidence import Measured as Measured
from theory.evidence import Outcome as Outcome
from theory.evidence import at_least as at_least
from theory.evidence import exceeds as exceeds
from theory.evidence import margin as margin
from theory.evidence import measured as measured
from theory.evidence import rounding_error as rounding_error
from theory.parameters import Parameters as Parameters
from theory.parameters import parameter as parameter
from theory.statements import REGISTRY as REGISTRY
from theory.statements import select as select
from theory.verdict import Verdict as Verdict
from theory.verification import Hypothesis as Hypothesis
from theory.verification import Statement as Statement
from theory.verification import verify as verify
from theory.verification import verify_until as verify_until
