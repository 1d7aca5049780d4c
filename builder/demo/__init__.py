"""Rendered photographs of toys with their exact outlines: the input of the demo and of tests."""
