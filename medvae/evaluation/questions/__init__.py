"""The questions of the protocol, one a file; each reads a Setting, fills Answers."""
