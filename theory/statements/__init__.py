"""The registered theorems, one package for each family, and the registry that finds them."""

from theory.statements.registry import REGISTRY as REGISTRY
from theory.statements.registry import select as select
