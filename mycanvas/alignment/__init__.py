"""How well any dataset's captions fit its pictures."""
