"""The store in an SQLite file, shared by the processes of one machine.

schema         what is in the file: its tables and states
connection     opening a file safely, waiting for other processes, explaining errors
file           transactions that the threads of a process share (group commit)
counts         the counts of a queue, in a row of their own
rows           the messages of a queue, in rows that move from state to state
transitions    what becomes of a message: overflow, leases, acks, retries, dead letters, expiry
waiting        waiting for what this process or another does
queue          the methods of a queue
store          the queues of a file by name, and the URL of a file
"""
