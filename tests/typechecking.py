"""The type checker that conftest.py puts around `theory`."""

import beartype

# An int is a float to a caller of a numerical function, as PEP 484 says.
checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
