"""Tests in a browser, as a person would."""
