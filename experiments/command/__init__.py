"""The command `widetheory`: its options, and what each verb does with them.

Nothing is computed here: a verb reads its arguments, calls one of the other rooms and prints.
"""

import os

# Before anything loads LAPACK: its threads wait for one another in a loop, and the many small
# decompositions of a batch took six times as long with them as without.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
