"""Which parts does every room of the suite use? This room knows nothing of results."""
