"""Tests on real logs and real servers."""
