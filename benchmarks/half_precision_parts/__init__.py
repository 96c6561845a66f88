"""Parts of ../half_precision.py: training, measuring, and the page."""
