"""The questions that are asked from outside: what a user starts is started, and timed from its
start to its end.
"""
