"""The command line. Each command needs no more than it uses: `stats` and `dlq` run with nothing but Python.

arguments signals    what the commands' arguments have in common; Ctrl-C and SIGTERM as a wish to stop
text store           tables and foreign text for a terminal; opening queues that are there, and making none
terminal             what the demo shows
demo watch           replay a recorded chain; follow a live one
dlq stats            look after dead letters; what the queues of a store hold
main                 read the command line, run one command
"""
