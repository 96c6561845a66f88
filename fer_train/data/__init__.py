"""From a folder of faces to batches: recognise the layout, decode once, gather by index."""
