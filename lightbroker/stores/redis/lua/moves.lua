-- How a ticket moves from one state to another. Whatever a script takes away it takes before it adds anything: a
-- server that is out of memory refuses a script at its first command that needs some, and only there.
local function later(span)
  return math.min(FAR, now + span)
end

-- Each message that is accepted takes a turn, and each that is put somewhere else later; the latter are counted, too.
local function turn()
  call('HINCRBY', meta, 'moved', 1)
  return call('HINCRBY', meta, 'turn', 1)
end

local function forget(id, failed, timed)
  call('HDEL', messages, id)
  if failed == 'f' then
    call('HDEL', failure, id)
  end
  if timed == 't' then
    call('HDEL', expiry, id)
  end
end

-- To the back of READY or, with a wait, to DELAYED; the name of that state.
local function put(ticket, wait)
  local _, _, timed, id = string.match(ticket, TICKET)
  if wait > 0 then
    call('ZADD', delayed, later(wait), string.format('%016.0f', turn()) .. ticket) -- the turn: order of equal times
    soonest = math.min(soonest, later(wait))
    return 'DELAYED'
  end
  call('ZADD', ready, turn(), ticket)
  made_ready = made_ready + 1
  if timed == 't' then
    local at = call('HGET', expiry, id)
    call('ZADD', mortal, at, ticket)
    soonest = math.min(soonest, tonumber(at))
  end
  return 'READY'
end

-- Failures are kept as "first last attempts reason error", the error as JSON; the last three are those of the dead.
local function blame(id, failed, error)
  local last = string.format('%.0f', now)
  local first = failed == 'f' and string.match(call('HGET', failure, id), '^%d+') or last
  call('HSET', failure, id, first .. ' ' .. last .. ' 0 - ' .. error)
end

-- DEAD, which takes no room; the oldest leave if there are too many.
local function bury(id, timed, attempts, reason, source)
  local first, last, error = string.match(call('HGET', failure, id), '^(%d+) (%d+) %d+ %S+ (.*)$')
  call('HSET', failure, id, table.concat({first, last, attempts, reason, error}, ' '))
  if timed == 't' then
    call('HDEL', expiry, id)
  end
  call('ZADD', dead, source == 'NEW' and call('HINCRBY', meta, 'turn', 1) or turn(), id)
  note(id, attempts, source, 'DEAD', reason)
  if source ~= 'NEW' then
    left = left + 1
  end
  while call('ZCARD', dead) > tonumber(dead_capacity) do
    local oldest = call('ZPOPMIN', dead)[1]
    local tried = string.match(call('HGET', failure, oldest), '^%d+ %d+ (%d+)')
    forget(oldest, 'f')
    call('HINCRBY', meta, 'dropped', 1)
    note(oldest, tried, 'DEAD', 'dropped', 'dead_capacity')
  end
end
