"""What a person looks at when a run is over: report.html, the model card, runs side by side."""
