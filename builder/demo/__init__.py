"""Toys, and photographs of them that the demo and the tests start from; the outline of each is known exactly."""
