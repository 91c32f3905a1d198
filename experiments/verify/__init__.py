"""Runs of `widetheory verify`: which statements on which data (`planning`), and `running` them."""
