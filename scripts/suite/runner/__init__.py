"""How is the program built, started and watched?"""
