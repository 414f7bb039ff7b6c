"""The operations as the cases call them; the cases know no other source."""

import cotan.numpy as numpy
from cotan import lax

__all__ = ["lax", "numpy"]
