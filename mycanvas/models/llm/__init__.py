"""Language models: the chat protocol, an OpenAI-compatible server, a local transformers model."""
