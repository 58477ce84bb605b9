"""What does a result file say? The only room that knows its JSON."""
