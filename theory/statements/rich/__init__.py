"""Family rich, Woodworth et al.: what diagonal networks minimize, from lazy to rich training."""
