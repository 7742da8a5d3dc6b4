"""What a user builds: groups, inputs, synapses, monitors. Host side: NumPy and text, no JAX."""
