"""cotan beside NumPy and JAX: `make bench`."""
