"""What learning is made of: steps, losses, schedules, pruning, metrics.

Nothing here knows a run or a command line.
"""
