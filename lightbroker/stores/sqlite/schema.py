"""What is in an SQLite file of LightBroker: its tables, and the numbers that stand for states.

A message is one row of the table `message` from its push to its end. Its state and its place in that state are the
primary key, so the next message of a state is always the first row of a range. A transition updates the key, which
moves the row. A message has rows in other tables only if its body is long or if it has failed. The columns:

    queue       the id of the queue in the table `queue`
    state       READY, DELAYED, LEASED or DEAD; COUNTS for the one row that holds the counts of the queue (see `counts`)
    at          when the state ends: the delay of a DELAYED message, the lease of a LEASED one; else 0
    turn        a sequence number that the queue gives out once, a new one for each change of state: the order within
                the state. The turn of a LEASED message names its lease: it is the fencing token in the receipt
    key         the message's number in the tables `body` and `failure`; it never changes
    attempts    the number of the delivery, 1 for the first: of the next one while the message waits for it
    failed      1 if there is a row in `failure`, else 0
    expires     when the time-to-live runs out; NULL for never
    body        NULL if the body is long and lies in the table `body`, so that moving the row does not copy it

Times are whole microseconds of Unix time. They compare exactly, and mean the same in every process and after a reboot.
If somebody sets the machine's clock, they shift with it.
"""

APPLICATION_ID = 0x4C426B72  #: "LBkr", in the header of the file
SCHEMA_VERSION = 3

STATES = ("READY", "DELAYED", "LEASED", "DEAD")
READY, DELAYED, LEASED, DEAD = range(4)
COUNTS = -1  #: sorts before READY

MAX_TIME = 1 << 62  #: microseconds; later than any time that occurs
MAX_INTEGER = (1 << 63) - 1  #: the largest number that a column holds

# The index `mortal` holds messages with a time-to-live only. It must not be limited to READY ones as well: SQLite would
# then prepare each statement anew for every state that is bound to it.
SCHEMA = """
CREATE TABLE queue (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, capacity INTEGER, dead_capacity INTEGER, options TEXT NOT NULL);
CREATE TABLE message (
    queue INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL, turn INTEGER NOT NULL,
    key INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL, expires INTEGER,
    id TEXT NOT NULL, timestamp REAL NOT NULL, headers TEXT, body BLOB,
    PRIMARY KEY (queue, state, at, turn)) WITHOUT ROWID;
CREATE INDEX mortal ON message (queue, state, expires) WHERE expires IS NOT NULL;
CREATE TABLE body (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE failure (
    key INTEGER PRIMARY KEY, reason TEXT, error TEXT NOT NULL, traceback TEXT NOT NULL,
    first_at REAL NOT NULL, last_at REAL NOT NULL);
"""


def micros(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * 1e6)


def later(now: int, seconds: float) -> int:
    """Return the microsecond that comes `seconds` after `now`, at most MAX_TIME."""
    return min(MAX_TIME, now + micros(min(seconds, MAX_TIME / 1e6)))
