"""Rules of the relative timing of spikes."""
