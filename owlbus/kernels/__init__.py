"""Array kernels: arrays in, arrays out; numba-compiled, no I/O, no own types."""
