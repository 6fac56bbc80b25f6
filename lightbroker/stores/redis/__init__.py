"""The store in Redis, shared by processes on many machines. Each transition is one script in `lua/`.

url scripts           where the server is; the scripts, and what is sent to call one
retries records       trying again, and what to tell of errors; how things look in Redis
commands connections  what is asked of a queue, and the replies: no I/O; connections that are replaced
subscriber            hearing what other processes publish
waiting               running a queue's scripts, and waking its waiters
queue                 the methods of a queue
routes                what is subscribed and bound to a topic
topics                publishing to other processes
store                 the store
"""
