"""Stories told to an Abaco over HTTP: a base URL is all that this room knows of it."""
