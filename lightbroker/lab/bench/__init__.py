"""Which runs are made, the bars that they have to reach, and the tables.

plan                               which runs the bench makes, in groups that are compared with each other
bars                               the bars, and how far each was met or missed
report experiments                 the tables on the terminal; the questions of the measuring notebooks
study                              one experiment of the bench: its runs, its bars and its tables
comparison storage async_study     beside what people use instead; the stores; event loops
against readme                     beside an earlier revision; the tables in the README
main                               `lightbroker bench`
campaign                           `make experiments`: all of them, to go on with after an interruption
"""
