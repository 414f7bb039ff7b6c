"""Spatial algorithms."""

from cotan.scipy.spatial import transform

__all__ = ["transform"]
