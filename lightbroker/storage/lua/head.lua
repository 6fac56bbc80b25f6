-- The beginning of every script. KEYS are those of one queue, which share a slot; ARGV[1] to [6] are the same in every
-- call of a process for that queue, [7] and [8] belong to this call, what follows is told in the script.
-- Times are whole microseconds, which a double holds exactly until the year 2255.
local call = redis.call
local meta, messages, ready, delayed, leased, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local mortal, expiry, failure, pullers, pushers = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local me, traced = ARGV[1], ARGV[2] == '1'
local capacity, dead_capacity = tonumber(ARGV[3]) or math.huge, tonumber(ARGV[4]) or math.huge
local policy, lease = ARGV[5], tonumber(ARGV[6])
local again = ARGV[7] == '1' -- the reply to an earlier try was lost
local now = tonumber(ARGV[8])
if not now then -- no clock is injected
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end

local FAR = 9007199254740992 -- 2^53: later than anything
local function later(span)
  return math.min(FAR, now + span)
end

-- A message is its record in `messages` (never changed) and a ticket that moves between the sorted sets: the number of
-- its delivery, `f` if it failed before, `t` if its time to live counts, and its id. A receipt is the turn of a lease,
-- the name of the call that made it, and the ticket.
local function read(ticket)
  return string.match(ticket, '^(%d+)(f?)(t?):(.+)$')
end
local function leased_ticket(receipt)
  return string.match(receipt, '^%d+/[^/]+/(.+)$')
end

local notes = {} -- of a traced queue: id, delivery, from, to, cause; one after the other
local function note(id, attempts, source, target, cause)
  if traced then
    for _, word in ipairs({id, attempts, source, target, cause}) do
      notes[#notes + 1] = tostring(word)
    end
  end
end

-- When the next delay, lease or time to live is over.
local function earliest()
  local first = FAR
  for _, key in ipairs({delayed, leased, mortal}) do
    local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if head[2] then
      first = math.min(first, tonumber(head[2]))
    end
  end
  return first
end

-- Wake as many as can go on, from the process that has waited longest. One that is gone hears nothing and is passed
-- over; the others hear that somebody was called, and look later in case it died on the way. How many threads of the
-- calling process should try again is returned: it needs no message.
local function rouse(waiting, kind, many)
  local there = many > 0 and call('ZCARD', waiting) or 0
  if there == 0 then
    return 0
  end
  local share, mine = math.ceil(many / there), 0
  while many > 0 do
    local name = call('ZPOPMIN', waiting)[1]
    if not name then
      return mine
    end
    if name == me then
      mine = share
      many = many - share
    elseif call('PUBLISH', meta .. ':' .. name, kind .. ' ' .. share) > 0 then
      many = many - share
    end
  end
  if call('ZCARD', waiting) > 0 then
    call('PUBLISH', meta, 'called')
  end
  return mine
end

-- What a transition did, for `finish`: messages made READY, places left, when something new falls due, and when
-- something that others know of does.
local made_ready, left, soonest, known = 0, 0, FAR, FAR

-- Tell who waits when something falls due, unless they know of something earlier.
local function announce(at)
  if at < FAR and call('EXISTS', pullers, pushers) > 0 and at <= earliest() then
    call('PUBLISH', meta, 'due ' .. string.format('%.0f', math.max(0, at - now)))
  end
end

-- The reply: microseconds until the caller should look again (-1: it need not), how many of its threads that wait for
-- a message, and for room, should try again, the notes, and what the script is about.
local function finish(...)
  announce(soonest)
  local look = math.min(soonest, known)
  local wait = look < FAR and math.max(0, look - now) or -1
  return {wait, rouse(pullers, 'pull', made_ready), rouse(pushers, 'push', left), notes, ...}
end
