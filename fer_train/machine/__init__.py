"""The computer a run lives on: devices, processes, signals, random numbers."""
