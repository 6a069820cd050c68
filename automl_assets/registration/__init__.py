"""Versions, the gate, and the champion."""
