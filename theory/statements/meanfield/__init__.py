"""Family meanfield, Mei et al.: networks scaled by 1/N, and where they leave the lazy regime."""
