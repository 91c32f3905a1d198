"""The command `widetheory`: its options, and what each verb does with them.

Nothing is computed here: a verb reads its arguments, calls one of the other rooms and prints.
"""

import os

# Before anything loads LAPACK: its threads wait for one another in a loop, and the many small
# decompositions of a batch took six times as long with them as without.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before anything loads XLA, which writes to stderr by itself: of every program that comes from the
# cache, that it tunes for this processor in ways that are no feature of it. JAX sets 1, for
# processes that are started from one that has imported it too.
if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
