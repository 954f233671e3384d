"""Stacking of level-1 models over text, pictures and sound for multilabel ad tagging."""

__version__ = "0.1.0"
