"""Rigorous values of JAX functions: their programs evaluated in ball arithmetic.

`enclose` gives values to any number of digits, `decide` a verdict about a condition that is proved.
`interpreter` goes through a traced program; its rules are in `structure` (moves), `arrays`
(arithmetic, choices, reductions, orders) and `linear` (products and decompositions), on the
functions of `functions` and the logic of `numbers`. A rule for one more primitive is one more entry
of a table there.
"""

from theory.certificates.ball.enclosing import MOST_BITS as MOST_BITS
from theory.certificates.ball.enclosing import Ball as Ball
from theory.certificates.ball.enclosing import Enclosed as Enclosed
from theory.certificates.ball.enclosing import decide as decide
from theory.certificates.ball.enclosing import enclose as enclose
from theory.certificates.ball.interpreter import MissingPrimitive as MissingPrimitive
from theory.certificates.ball.numbers import Undecided as Undecided
