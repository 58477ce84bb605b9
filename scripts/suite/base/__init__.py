"""What does every part of the suite use? Knows nothing of results."""
