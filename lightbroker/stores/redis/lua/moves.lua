-- How a message moves from one state to another.
--
-- Whatever a script takes away it takes before it adds anything: a server that is out of memory refuses a script at its
-- first command that needs some, and only there.
local function after(span)
  return math.min(INFINITY, now + span)
end

-- The next turn, for a message that moves.
local function next_turn()
  call('HINCRBY', meta, 'moved', 1)
  return call('HINCRBY', meta, 'turn', 1)
end

local function delete_message(id, failed, timed)
  call('HDEL', messages, id)
  if failed == 'f' then
    call('HDEL', failure, id)
  end
  if timed == 't' then
    call('HDEL', expiry, id)
  end
end

-- To the back of READY, or to DELAYED for `wait` microseconds. Returns the name of that state.
local function requeue(entry, wait)
  local _, _, timed, id = string.match(entry, ENTRY)
  if wait > 0 then
    call('ZADD', delayed, after(wait), string.format('%016.0f', next_turn()) .. entry)
    new_due = math.min(new_due, after(wait))
    return 'DELAYED'
  end
  call('ZADD', ready, next_turn(), entry)
  made_ready = made_ready + 1
  if timed == 't' then
    local ends = call('HGET', expiry, id)
    call('ZADD', mortal, ends, entry)
    new_due = math.min(new_due, tonumber(ends))
  end
  return 'READY'
end

-- Write down that a message failed now.
local function record_failure(id, failed, error)
  local last = string.format('%.0f', now)
  local first = failed == 'f' and string.match(call('HGET', failure, id), '^%d+') or last
  call('HSET', failure, id, first .. ' ' .. last .. ' 0 - ' .. error)
end

-- To DEAD, where it takes no room. The oldest dead letters are dropped if there are too many. The failure was recorded.
local function make_dead(id, timed, attempts, reason, source)
  local first, last, error = string.match(call('HGET', failure, id), '^(%d+) (%d+) %d+ %S+ (.*)$')
  call('HSET', failure, id, table.concat({first, last, attempts, reason, error}, ' '))
  if timed == 't' then
    call('HDEL', expiry, id)
  end
  call('ZADD', dead, source == 'NEW' and call('HINCRBY', meta, 'turn', 1) or next_turn(), id)
  trace(id, attempts, source, 'DEAD', reason)
  if source ~= 'NEW' then
    made_room = made_room + 1
  end
  while call('ZCARD', dead) > tonumber(dead_capacity) do
    local oldest = call('ZPOPMIN', dead)[1]
    local tried = string.match(call('HGET', failure, oldest), '^%d+ %d+ (%d+)')
    delete_message(oldest, 'f')
    call('HINCRBY', meta, 'dropped', 1)
    trace(oldest, tried, 'DEAD', 'dropped', 'dead_capacity')
  end
end
