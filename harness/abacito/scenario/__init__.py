"""Stories told to an Abaco over HTTP: a base URL is all that this room knows of it."""

GAPS_FILE = "parity-gaps.yaml"
"""Known differences to another Abaco, beside stories or above them: the one YAML file there that is no story."""
