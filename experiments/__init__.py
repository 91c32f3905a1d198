"""Everything with side effects: the command, data files, results, tables. Imports `theory`."""

import sys
import time

# Before any of `theory` is read, or 0 where that is not known: see `machine.kept_programs`.
BEGAN = 0.0 if "theory" in sys.modules else time.time()
