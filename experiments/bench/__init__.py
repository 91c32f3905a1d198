"""Timings against plain PyTorch and against matrix products, as ratios within one run.

`jobs` has what `widetheory bench` runs, `timing` how it is timed, `rows` how that is reported;
`reference` is what a user would write today.
"""
