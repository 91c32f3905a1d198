"""Search for counterexamples, and what is found made small.

`latent` opens a sampler: its random numbers become variables, so that every candidate is something
the sampler can draw; a statement's `domain` says of which instances beyond those it speaks.
`candidates` evaluates many of them at once, as long as the `budget` lasts; `starts` has where
searches begin, degenerate instances among them, `descent` and `evolution` go on from there,
`settings` looks for the worst parameters and confirms them on fresh draws. `shrinking` makes
smaller what was found, `proving` encloses it; `falsify` is the door. A search is never evidence:
what it finds is evaluated again, as `theory.verify` does, before it is called a counterexample.
"""

from theory.falsification.falsify import Falsification as Falsification
from theory.falsification.proving import Counterexample as Counterexample
from theory.falsification.proving import prove as prove
