"""How do all tests in Python run? With the same examples each time: what is red has been changed, and not been unlucky.

pytest --hypothesis-profile=default looks for new ones.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("same")
