"""Stored results: cells of a sweep or figure in files of their own, and tables made of them.

`store` keeps cells so that a kill loses nothing, `cells` computes those that are missing,
`dataset` and `tables` read them, `code_version` says which code made them.
"""
