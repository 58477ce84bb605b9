"""What does each command do? One module a command: it parses, calls the suite, and prints."""
