"""Names of data on the command line, and the files behind them: images, IDX, CIFAR, NumPy.

`sources` turns a name such as mnist:DIR into a `theory.Dataset`.
"""
