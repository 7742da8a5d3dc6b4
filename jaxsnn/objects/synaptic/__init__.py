"""What synapses are made of: their equations, the meaning of names, connections, pathways, and how they lower."""
