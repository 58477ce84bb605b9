"""What do the measurements mean? The logic behind the commands in scripts/."""
