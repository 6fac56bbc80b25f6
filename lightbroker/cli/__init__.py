"""The command line: `lightbroker COMMAND`.

A command imports a library only when it needs it, so `stats` and `dlq` run with nothing but Python.

arguments signals    what the arguments of all commands have in common; Ctrl-C and SIGTERM as a request to stop
text store           tables and untrusted text for a terminal; opening the queues of an existing store
terminal             what `lightbroker demo` prints
demo watch           lightbroker demo: replay a recorded chain; lightbroker watch: follow a node's chain
dlq stats            lightbroker dlq: look after dead letters; lightbroker stats: what the queues of a store hold
main                 read the command line and run one command
"""
