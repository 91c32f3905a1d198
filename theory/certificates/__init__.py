"""Answers that prove themselves: solutions whose errors are bounded, and solvers that say no.

Linear systems with enclosures (`linear_solve`), the max-margin limit of leaky networks and its KKT
conditions (`max_margin`), the cone that training does not leave (`cone`), linear separability by
certified programs (`separability`), projections of Gaussian vectors (`projections`), smallest
eigenvalues (`eigenvalues`), margins of features (`feature_margin`) and minimizers of the hypentropy
potential (`hypentropy`). `ball`
encloses the values of functions in rigorous arithmetic, and decides conditions for certain.
"""

from theory.certificates.cone import stays_in_cone as stays_in_cone
from theory.certificates.linear_solve import Enclosure as Enclosure
from theory.certificates.linear_solve import InnerProducts as InnerProducts
from theory.certificates.linear_solve import enclosed_solution as enclosed_solution
from theory.certificates.linear_solve import inner_products as inner_products
from theory.certificates.linear_solve import operator_norm as operator_norm
from theory.certificates.max_margin import KKTMargins as KKTMargins
from theory.certificates.max_margin import MaxMarginLimit as MaxMarginLimit
from theory.certificates.max_margin import MultiplierRange as MultiplierRange
from theory.certificates.max_margin import NearOrthogonality as NearOrthogonality
from theory.certificates.max_margin import Solved as Solved
from theory.certificates.max_margin import global_margins as global_margins
from theory.certificates.max_margin import gram_factors as gram_factors
from theory.certificates.max_margin import inside_cone as inside_cone
from theory.certificates.max_margin import kkt_certificate as kkt_certificate
from theory.certificates.max_margin import kkt_margins as kkt_margins
from theory.certificates.max_margin import limit_output as limit_output
from theory.certificates.max_margin import max_margin_limit as max_margin_limit
from theory.certificates.max_margin import multiplier_range as multiplier_range
from theory.certificates.max_margin import near_orthogonality as near_orthogonality
from theory.certificates.max_margin import same_span as same_span
from theory.certificates.max_margin import sharp_multiplier_range as sharp_multiplier_range
from theory.certificates.max_margin import solve as solve
from theory.certificates.max_margin import support_vectors as support_vectors
from theory.certificates.projections import Residual as Residual
from theory.certificates.projections import project_out as project_out
from theory.certificates.separability import Separation as Separation
from theory.certificates.separability import check_inseparability as check_inseparability
from theory.certificates.separability import check_separator as check_separator
from theory.certificates.separability import separate as separate
