"""The rules, one file each, found by walking this folder and by the entry point ``sturmwarte.rules``."""
