# Makes this folder a package to Cython: cimport cotan.<module> looks here.
