"""The store in Redis, shared by processes on many machines. Each transition is one script in `lua/`.

url scripts         where the server is; what is sent to run a script
trouble records     what can go wrong; how things look in Redis
commands link       what is asked of a queue, and the answers: no I/O; connections that are replaced
waiting             waiting across processes
runs queue          the methods of a queue
routes inbox        who listens to a topic; hearing what other processes publish
topics              publishing to other processes
store               the store
"""
