"""For tests of one's own: `assert_statement`, and Hypothesis strategies for data and networks.

It needs the package hypothesis, which the extra `test` installs.
"""

from theory.testing.assertions import assert_statement as assert_statement
from theory.testing.strategies import LabelledPoints as LabelledPoints
from theory.testing.strategies import configurations as configurations
from theory.testing.strategies import datasets as datasets
from theory.testing.strategies import descents as descents
from theory.testing.strategies import labelled_points as labelled_points
from theory.testing.strategies import labels as labels
from theory.testing.strategies import networks as networks
from theory.testing.strategies import slopes as slopes
