"""How synapses are created: rules, pairs as arrays, and the expressions rules read."""
