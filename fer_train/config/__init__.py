"""What a training run can be told: options, phases, recipes, and how a command line shows them."""
