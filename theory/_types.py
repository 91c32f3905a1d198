"""Types that many signatures share."""

from typing import Annotated, Any, TypeAlias

import numpy as np
from jaxtyping import Array, Int

# Arrays, of JAX or of NumPy: what a public function accepts (`theory._validation.takes_arrays`
# makes arrays of JAX of them at the door), and what a value is inside jit and outside of it.
AnyArray: TypeAlias = Array | np.ndarray

# One number: of Python or NumPy, or an array of JAX without axes, which may be traced.
Real: TypeAlias = float | np.floating | np.integer | Array
# In `Annotated`: of the range that an argument's name has everywhere, the lower end is left out.
OPEN_BELOW = "open below"
PositiveReal: TypeAlias = Annotated[Real, OPEN_BELOW]
PositiveFloat: TypeAlias = Annotated[float, OPEN_BELOW]
Integer: TypeAlias = int | np.integer | Int[Array, ""]

# Arrays in tuples, lists, dictionaries and dataclasses: what `jax.tree` walks through. No type of
# Python says so: any value is a leaf.
PyTree: TypeAlias = Any

CompilerOption: TypeAlias = bool | int | str  # the value of an option of XLA
