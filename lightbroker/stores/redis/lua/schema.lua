-- The keys of a queue, and what every script of a queue begins with.
--
-- Every key begins with the hash tag {PREFIX:QUEUE}, so that a cluster keeps them together.
--
--   {…}               meta: a hash with the schema version, the declared options, the counters of what happened
--                     (acked, dropped, expired, purged, retried, redriven, refused), and
--                       turn    the last turn that was taken: each message that is accepted takes one, and each that
--                               moves takes another; READY, DEAD and equal times are in the order of turns
--                       moved   how many of those turns were moves, so turn - moved messages were accepted
--                       due     no delay, lease or time to live ends before this time
--   {…}:messages      a hash, id -> record; every message is here until it leaves the queue, and is never changed
--   {…}:ready         a sorted set of entries by turn: the READY, the one that waits longest first
--   {…}:delayed       a sorted set of a turn (16 digits) and an entry, by the time when it becomes READY
--   {…}:leased        a sorted set of receipts by the time when the lease expires
--   {…}:dead          a sorted set of ids by turn: the DEAD
--   {…}:mortal        a sorted set of those READY entries that have a time to live, by the time when it ends
--   {…}:expiry        a hash, id -> the time when the time to live ends
--   {…}:failure       a hash, id -> "first last attempts reason error" of the messages that failed before: the times
--                     of the first and the last failure, and the error as JSON. The attempts and the reason are those
--                     of a dead letter, and "0 -" before that
--   {…}:pullers       a sorted set of the processes that wait for a message, by the time since when
--   {…}:pushers       a sorted set of the processes that wait for room, likewise
--   {…}:pushed:P:N    the sequence number and the outcome of the last push of producer N of process P; for ten minutes
--
-- The counts of a queue are the sizes of these keys. The messages without the DEAD are those that take room.
--
-- An entry is what the message's next delivery needs to know: "NUMBER[f][t]:ID", the number of that delivery, `f` if
-- the message failed before, `t` if it has a time to live. A receipt is "CALL/PLACE/ENTRY": the call that leased the
-- message, the place among those that it leased, and the entry.
--
-- Processes tell each other by publishing:
--   {…}:P             to process P: "pull N" or "push N", that N of its threads should try again
--   {…}               to every process that waits: "called", that one was told so and may die before it comes, or
--                     "due N", that something falls due in N microseconds
--
-- The topics of a prefix have keys with the hash tag {PREFIX: topics}: see topic_publish.lua.
--
-- Each script is told in its options and arguments:
--   client            the name of the process that calls
--   traced            '1' if the transitions of this queue are to be reported
--   capacity, dead_capacity, policy, lease            as they were declared; the lease in microseconds
--   again             whether the call was sent before and its reply was lost
--   now               the time in microseconds, or '' for that of the server
-- Times are whole microseconds, which a double holds exactly until the year 2255.
local call = redis.call
local INFINITY = 9007199254740992 -- 2^53: never as a time, no bound as a capacity

local ENTRY = '^(%d+)(f?)(t?):(.+)$'
local RECEIPT = '^[^/]+/%d+/((%d+)(f?)(t?):(.+))$'

-- What this call changed, for `finish`: how many messages became READY and how many places got free, the time when the
-- first thing that is new falls due, and the time when the first thing falls due that others know of already.
local made_ready, made_room, new_due, known_due = 0, 0, INFINITY, INFINITY
