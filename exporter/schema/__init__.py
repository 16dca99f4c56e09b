"""What both kinds of file share: YAML with positions, kinds of text, durations, problems."""
