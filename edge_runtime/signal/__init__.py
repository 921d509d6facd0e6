"""From raw samples to final R peaks, quality and beat windows: causal, stateful, clock-free."""
