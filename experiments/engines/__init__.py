"""Where calls of one function run: in processes of this machine, or on the workers of a cluster.

Cells of a sweep, cells of a figure and statements of a run are such calls. Whoever asks for them
gets what they return, and is the only one that writes.
"""
