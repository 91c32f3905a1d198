"""Results in words: tables for the terminal, and their JSON.

One file for each thing that is reported; `words` has what they share, `progress` the bar.
"""
