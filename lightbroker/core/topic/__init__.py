"""Publish/subscribe on bounded buffers.

pattern         which topics a pattern matches
buffer          the buffer of a subscriber
subscription    what a subscriber reads from it
topics          the topics of one broker
"""
