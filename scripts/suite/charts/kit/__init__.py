"""What do all charts share?"""
