"""Family kernel, Wang and Zhu: smallest eigenvalues of kernels, at infinite and finite width."""
