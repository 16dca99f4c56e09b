"""From an answer to wallets, as a definition says."""
