"""widetheory: theorems about wide neural networks, checked numerically.

Pure functions on arrays: nothing here reads files, draws figures or prints. Each room has
one subject and knows those before it: data, networks, infinite_width, certificates and
perturbations compute; verification judges and falsification attacks; statements has the theorems;
testing is for tests of one's own. At the door: margins (what a condition returns), parameters
(configurations), fields (parameters that many have), keys, parallel (devices) and compilation.
"""

from theory.data.sampling import Dataset as Dataset
from theory.falsification.falsify import Falsification as Falsification
from theory.falsification.falsify import falsify as falsify
from theory.falsification.proving import Counterexample as Counterexample
from theory.margins import Margin as Margin
from theory.margins import Measured as Measured
from theory.margins import at_least as at_least
from theory.margins import exceeds as exceeds
from theory.margins import margin as margin
from theory.margins import measured as measured
from theory.margins import rounding_error as rounding_error
from theory.parameters import Parameters as Parameters
from theory.parameters import parameter as parameter
from theory.statements.registry import REGISTRY as REGISTRY
from theory.statements.registry import select as select
from theory.verification.claims import Claim as Claim
from theory.verification.domains import Reals as Reals
from theory.verification.domains import Signs as Signs
from theory.verification.explaining import Explanation as Explanation
from theory.verification.explaining import explain as explain
from theory.verification.frontier import Frontier as Frontier
from theory.verification.frontier import frontier as frontier
from theory.verification.kinds import Decay as Decay
from theory.verification.kinds import Deterministic as Deterministic
from theory.verification.kinds import Empirical as Empirical
from theory.verification.kinds import Law as Law
from theory.verification.kinds import Moment as Moment
from theory.verification.kinds import Probabilistic as Probabilistic
from theory.verification.kinds import Rate as Rate
from theory.verification.laws import Distribution as Distribution
from theory.verification.outcomes import Outcome as Outcome
from theory.verification.statement import Hypothesis as Hypothesis
from theory.verification.statement import OnData as OnData
from theory.verification.statement import Statement as Statement
from theory.verification.verdict import Verdict as Verdict
from theory.verification.verify import verify as verify
from theory.verification.verify import verify_until as verify_until
