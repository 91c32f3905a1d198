"""Pictures of any statement's draws and of any sweep, a user's own included.

`subjects` and `slices` read what is drawn, of a statement and of a stored sweep; the panels have
modules of their own; `statements` and `swept` put them together with captions and data, and
`making` writes the files. The look is that of the figures (`experiments.figures.style`).
"""
