"""Certificates as files: what is certain, in a form that can be checked without this project.

`making` makes them of statements, separations and verdicts, and `tracing` writes a condition as a
program of few operations. `check` needs neither JAX nor NumPy nor `theory`: with `program`, its own
arithmetic for those operations, it recomputes everything that a file claims. `replay` draws the
instance again and compares the program with what the statement says today.

Nothing is imported here, so that `check` can be without the rest.
"""
