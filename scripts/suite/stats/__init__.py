"""Which statistics does the suite use? Knows numbers alone."""
