"""Is the suite right?"""
