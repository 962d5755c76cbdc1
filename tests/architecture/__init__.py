"""Tests of the house itself: who may import whom, how long a file may be, and that the docs are true."""
