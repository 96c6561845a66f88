"""ferconv: turn a checkpoint into checked Core ML, ONNX and TorchScript and a Swift package."""

__version__ = "0.1.0"
