"""Figures of family `separability`, Z23: separability of noises."""
