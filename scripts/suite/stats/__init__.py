"""Which statistics does the suite use? This room knows only numbers."""
