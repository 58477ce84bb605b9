"""Did a change make anything slower?"""
