"""Definitions that an operator begins: from a command line of curl and an answer, and tried without a network."""
