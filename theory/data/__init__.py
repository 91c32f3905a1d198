"""Labelled points: laws to draw them from, data sets as values, and coordinates of subspaces.

What a caller hands to everything else as x and y. `sampling` has the laws and `Dataset`; `subspace`
replaces n points in any dimension by n points with the same inner products in a small one, and
`spiked` draws such points, of a law with one direction of larger variance. Nothing here knows of
networks.
"""

from theory.data.sampling import ClassSample as ClassSample
from theory.data.sampling import Dataset as Dataset
from theory.data.sampling import Sample as Sample
from theory.data.sampling import balanced_labels as balanced_labels
from theory.data.sampling import data_parameter as data_parameter
from theory.data.sampling import draw as draw
from theory.data.sampling import draw_classes as draw_classes
from theory.data.sampling import near_orthogonal as near_orthogonal
from theory.data.sampling import to_sphere as to_sphere
from theory.data.spiked import spiked_gaussian as spiked_gaussian
from theory.data.subspace import draw_in_subspace as draw_in_subspace
from theory.data.subspace import gaussian_rows as gaussian_rows
from theory.data.subspace import gram_rows as gram_rows
from theory.data.subspace import with_orthogonal_part as with_orthogonal_part
