"""One training run, from options to best.pt; `train` is the loop."""
