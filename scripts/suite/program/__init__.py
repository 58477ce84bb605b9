"""What does the user's own program cost under each malloc?"""
