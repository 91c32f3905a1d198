"""Reports of stored results: one page of HTML, Markdown, or LaTeX, and a bundle for an archive.

`gathering` reads directories into `contents`, from which alone everything is written: no statement
is imported, so that results of a file that is no longer at hand are reported, too.
"""
