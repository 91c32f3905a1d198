"""Figures of margins."""
