"""The Swift package with the model inside."""
