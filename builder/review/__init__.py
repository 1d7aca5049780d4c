"""The web pages on which people judge cut-outs and scenes and compare the arms of a study."""
