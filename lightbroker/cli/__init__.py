"""The command line. Each command needs no more than it uses: `stats` and `dlq` run with nothing but Python.

arguments.py   what the commands' arguments have in common, and how they read
signals.py     Ctrl-C and SIGTERM as a wish to stop
text.py        tables and foreign text for a terminal
store.py       opening queues that are there, and making none
demo.py        replay a recorded chain
watch.py       follow a live chain
dlq.py         look after dead letters
stats.py       what the queues of a store hold
main.py        read the command line, run one command
"""
