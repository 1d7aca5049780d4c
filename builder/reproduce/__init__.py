"""The poster's experiment in one command: build, train each arm, generate, evaluate."""
