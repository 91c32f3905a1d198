"""Figures of family `deep`, what depth does to networks at initialization."""
