"""One module per format: the shared trace in, a file or folder on disk out."""
