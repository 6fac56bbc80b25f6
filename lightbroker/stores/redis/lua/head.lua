-- The beginning of every script, behind the names of its keys, which share a slot, and of its first arguments: those
-- that are the same in every call of a process for a queue, `again` ('1' if the reply to an earlier try was lost) and
-- `now` ('' if no clock is injected). More arguments, told in the script, stand behind ARGV[REST].
-- Times are whole microseconds, which a double holds exactly until the year 2255.
local call = redis.call
local FAR = 9007199254740992 -- 2^53: later than anything, and more

-- A message is its record in `messages` (never changed) and a ticket that moves between the sorted sets: the number of
-- its delivery, `f` if it failed before, `t` if its time to live counts, and its id. A receipt is the name of the call
-- that leased it, its place among those that were leased together, and the ticket.
local TICKET = '^(%d+)(f?)(t?):(.+)$'
local RECEIPT = '^[^/]+/%d+/((%d+)(f?)(t?):(.+))$'

-- What a transition did, for `finish`: messages made READY, places left, when something new falls due, and when
-- something that others know of does.
local made_ready, left, soonest, known = 0, 0, FAR, FAR
