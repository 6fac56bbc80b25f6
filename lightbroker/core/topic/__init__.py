"""Publish/subscribe on bounded buffers.

pattern    which topics a pattern matches
topics     subscriptions, and the topics of one broker
shared     topics whose subscribers live in several processes
"""
