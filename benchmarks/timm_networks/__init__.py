"""Parts of ../timm_models.py: the networks, building, and the page."""
