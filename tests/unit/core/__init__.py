"""Tests of libs.core."""
