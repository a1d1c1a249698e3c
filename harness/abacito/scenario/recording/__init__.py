"""What clients ask of an Abaco, written down as a story that asks it again."""
