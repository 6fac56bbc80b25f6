-- The beginning of every script. KEYS are those of one queue, which share a slot; ARGV[1] to [6] are the same in every
-- call of a process for that queue, [7] and [8] belong to this call, what follows is told in the script.
-- Times are whole microseconds, which a double holds exactly until the year 2255.
local call = redis.call
local meta, messages, ready, delayed, leased, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local mortal, expiry, failure, pullers, pushers = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local me, traced = ARGV[1], ARGV[2] == '1'
local capacity, dead_capacity = tonumber(ARGV[3]) or math.huge, tonumber(ARGV[4]) or math.huge
local again = ARGV[7] == '1' -- the reply to an earlier try was lost
local now = tonumber(ARGV[8])
local FAR = 9007199254740992 -- 2^53: later than anything

-- A message is its record in `messages` (never changed) and a ticket that moves between the sorted sets: the number of
-- its delivery, `f` if it failed before, `t` if its time to live counts, and its id. A receipt is the name of the call
-- that leased it, its place among those that were leased together, and the ticket.
local TICKET = '^(%d+)(f?)(t?):(.+)$'
local RECEIPT = '^[^/]+/%d+/((%d+)(f?)(t?):(.+))$'

-- What a transition did, for `finish`: messages made READY, places left, when something new falls due, and when
-- something that others know of does.
local made_ready, left, soonest, known = 0, 0, FAR, FAR
local notes = {} -- of a traced queue: id, delivery, from, to, cause; one after the other
