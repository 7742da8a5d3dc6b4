"""How a simulation is differentiated: a twin of the step in which spikes are floats with a derivative."""
