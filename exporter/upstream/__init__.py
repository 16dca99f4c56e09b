"""What is sent to a provider, and what comes back."""
