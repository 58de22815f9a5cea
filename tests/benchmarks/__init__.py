"""What the relay costs, as ratios to a plain relay on the same stack: ``make bench``."""
