"""The store in an SQLite file, shared by the processes of one machine.

connection     opening a file safely
file           transactions that threads share
counts         the counts of a queue
rows           its rows
transitions    what becomes of a message
waiting        waiting across processes
queue          the methods of a queue
store          the queues of a file by name, and the URL of a file
"""
