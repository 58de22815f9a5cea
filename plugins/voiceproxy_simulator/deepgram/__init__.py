"""The Deepgram side of the simulator: Voice Agent v1, listen v1 and v2, speak v1 and v2, grants."""
