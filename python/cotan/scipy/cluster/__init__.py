"""Clustering."""

from cotan.scipy.cluster import vq

__all__ = ["vq"]
