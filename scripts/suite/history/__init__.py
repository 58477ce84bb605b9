"""How did the figures of many runs change?"""
