"""Kernels on an NVIDIA GPU: how they are launched (`triton`), and how they walk rows of synapses (`walk`)."""
