"""Sources of input: Poisson spikes, given spikes, given time courses."""
