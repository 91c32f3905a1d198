"""`predict` and `train`: learning from perturbations, K24b, at several learning rates and draws.

`pairs` draws, trains and summarizes; `cost` refuses what would take too much memory or time.
"""
