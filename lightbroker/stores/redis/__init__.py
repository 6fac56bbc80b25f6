"""The store in Redis, shared by processes on many machines. Each transition is one script in `lua/`.

url             where the server is
scripts         the scripts, and what is sent to call one
call_retries    calls that are repeated after a lost connection, and what to tell of errors
records         how things look in Redis
commands        what is asked of a queue, and how to read the replies; no I/O
connections     connections to the server, which are replaced when they break
subscriber      hearing what other processes publish
runner          running a queue's scripts, waking its waiters, ending what fell due
queue           the methods of a queue
routes          what is subscribed and bound to a topic
topics          publishing to other processes
store           the store
"""
