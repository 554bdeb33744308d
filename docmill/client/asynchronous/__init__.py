"""The client whose methods are coroutines."""
