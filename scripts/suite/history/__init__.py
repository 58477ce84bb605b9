"""How did the metrics of many runs change?"""
