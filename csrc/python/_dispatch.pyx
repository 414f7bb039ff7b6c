# cython: language_level=3, binding=False
"""The hot path: Array, its operators and JittedFunction."""


cdef api int cotan_dispatch_abi():
    return 1
