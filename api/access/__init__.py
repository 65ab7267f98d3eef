"""Who asks the service, told by a token or a key."""
