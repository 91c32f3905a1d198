"""From a statement to a verdict.

`statement` is what a theorem is here and `kinds` what it can claim, each kind with its rule
(`signatures` checks the functions of both); `stages` and `programs` draw it and `instances` asks
one instance;
`rounding` and `estimates` find numerical errors that nobody stated; `outcomes` says what one draw
shows, `judging` with `claims` and `statistics` what all of them do, `verdict` how that is reported,
`shown` how notebooks show it;
`evaluation` and `verify` are the doors. `canary` refuses a compiler that computes wrong numbers,
`memory` finds how many draws fit. Nothing here knows any theorem.
"""

from theory.verification.canary import MiscompilationError as MiscompilationError
from theory.verification.claims import Claim as Claim
from theory.verification.evaluation import evaluate as evaluate
from theory.verification.evaluation import evaluate_instance as evaluate_instance
from theory.verification.evaluation import traceable_parameters as traceable_parameters
from theory.verification.judging import judge as judge
from theory.verification.kinds import Decay as Decay
from theory.verification.kinds import Deterministic as Deterministic
from theory.verification.kinds import Empirical as Empirical
from theory.verification.kinds import Law as Law
from theory.verification.kinds import Moment as Moment
from theory.verification.kinds import Probabilistic as Probabilistic
from theory.verification.kinds import Rate as Rate
from theory.verification.laws import Distribution as Distribution
from theory.verification.memory import largest_batch as largest_batch
from theory.verification.memory import memory_needed as memory_needed
from theory.verification.outcomes import Outcome as Outcome
from theory.verification.outcomes import outcome as outcome
from theory.verification.programs import arithmetic as arithmetic
from theory.verification.rounding import Rounding as Rounding
from theory.verification.rounding import estimated_rounding as estimated_rounding
from theory.verification.statement import Hypothesis as Hypothesis
from theory.verification.statement import OnData as OnData
from theory.verification.statement import Statement as Statement
from theory.verification.statistics.power import detectable_rate as detectable_rate
from theory.verification.statistics.power import draws_for_power as draws_for_power
from theory.verification.verdict import ConditionSummary as ConditionSummary
from theory.verification.verdict import Constant as Constant
from theory.verification.verdict import Estimate as Estimate
from theory.verification.verdict import Evidence as Evidence
from theory.verification.verdict import FailureRate as FailureRate
from theory.verification.verdict import Verdict as Verdict
from theory.verification.verify import assess as assess
from theory.verification.verify import verify_until as verify_until
