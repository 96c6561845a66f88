"""Parts of ../torchvision_models.py: the networks, converting, comparing, and the page."""
