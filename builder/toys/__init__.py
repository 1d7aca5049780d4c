"""Toys and the photographs of them that the demo and the tests start from: nothing is downloaded, every outline is known."""
