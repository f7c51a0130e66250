"""Whether the harness can be trusted here: known answers put to it, wanted beside obtained."""
