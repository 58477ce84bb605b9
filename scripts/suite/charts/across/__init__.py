"""Which charts show several runs?"""
