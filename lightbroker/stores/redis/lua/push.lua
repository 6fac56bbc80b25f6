-- Push: NEW -> READY or DELAYED. A full queue drops the oldest or the new message, makes it DEAD, or takes no more.
--
-- KEYS   pushed: the sequence number and the outcome of the last push of this producer
-- ARGV   sequence: the number of this push; delay and ttl in microseconds, ttl may be ''; blocked: what becomes of a
--        caller for whose messages there is no room: 'refuse' counts a refusal, 'wait' lists the process as waiting for
--        room, 'others' lists it in any case, since other threads of it wait too, 'no' does nothing.
--        REST: an id and a record for each message
-- Reply  a letter for each message that was accepted, '1', or '0' if it was dropped. A full queue ends it early
--> keys meta messages ready delayed dead mortal expiry failure pullers pushers pushed
--> options client traced capacity dead_capacity policy
--> arguments again now sequence delay ttl blocked
--> schema
delay, ttl, capacity = tonumber(delay), tonumber(ttl), tonumber(capacity)
local count = (#ARGV - REST) / 2 -- ARGV[REST + 2 * i] is the record of message i, its id stands before it

local room = count
if capacity < INFINITY then
  room = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
local entering = math.min(count, room)
local outcome = string.rep('1', entering)

-- Each sequence number is accepted once. A caller whose reply was lost sends it again, and a connection that was given
-- up may still bring the first one here later.
local before = call('SET', pushed, sequence .. ' ' .. outcome, 'PX', 600000, 'GET')
if before then
  local last, what = string.match(before, '^(%d+) (%d*)$')
  if tonumber(last) >= tonumber(sequence) then
    call('SET', pushed, before, 'PX', 600000)
    return {0, last == sequence and what or ''}
  end
end

if delay > 0 or ttl then
--> clock
end
local suffix = ttl and 't:' or ':'
local ready_at, ends = delay > 0 and math.min(INFINITY, now + delay), ttl and math.min(INFINITY, now + ttl)
local function enter(from, many)
  local turn, entries = call('HINCRBY', meta, 'turn', many) - many, {}
  call('HSET', messages, unpack(ARGV, REST + 2 * from - 1, REST + 2 * (from + many - 1)))
  for i = 1, many do
    local id = ARGV[REST + 2 * (from + i) - 3]
    local entry = '1' .. suffix .. id
    if ends then
      call('HSET', expiry, id, string.format('%.0f', ends))
    end
    if delay > 0 then
      entries[2 * i - 1], entries[2 * i] = ready_at, string.format('%016.0f', turn + i) .. entry
    else
      entries[2 * i - 1], entries[2 * i] = turn + i, entry
      if ends then
        call('ZADD', mortal, ends, entry)
      end
    end
  end
  if delay > 0 then
    call('ZADD', delayed, unpack(entries))
    new_due = ready_at
  else
    call('ZADD', ready, unpack(entries))
    made_ready = made_ready + many
    new_due = ends or INFINITY
  end
end
if entering > 0 then
  enter(1, entering)
end
-- Most pushes end here: all has entered, nobody waits, and nothing falls due.
local all = entering == count and new_due == INFINITY
if all and traced ~= '1' and blocked ~= 'others' and call('EXISTS', pullers, pushers) == 0 then
  return {0, outcome}
end
--> clock
--> reply
--> moves
for i = 1, entering do
  trace(ARGV[REST + 2 * i - 1], 0, 'NEW', delay > 0 and 'DELAYED' or 'READY', 'push')
end
local outcomes, full = {outcome}, false
for i = entering + 1, count do
  local id, record = ARGV[REST + 2 * i - 1], ARGV[REST + 2 * i]
  if policy == 'block' or policy == 'reject' then
    full = true
    break
  elseif policy == 'dead_letter' then
    call('HSET', messages, id, record)
    record_failure(id, '', '["",""]')
    make_dead(id, '', 0, 'overflow', 'NEW')
    outcomes[#outcomes + 1] = '1'
  else
    local oldest = policy == 'drop_oldest' and call('ZPOPMIN', ready)[1]
    call('HINCRBY', meta, 'dropped', 1)
    if oldest then
      local attempts, failed, timed, victim = string.match(oldest, ENTRY)
      call('ZREM', mortal, oldest)
      delete_message(victim, failed, timed)
      trace(victim, attempts, 'READY', 'dropped', 'overflow')
      enter(i, 1)
      trace(id, 0, 'NEW', delay > 0 and 'DELAYED' or 'READY', 'push')
      outcomes[#outcomes + 1] = '1'
    else -- drop_newest, or there is no READY message to drop
      call('HINCRBY', meta, 'turn', 1)
      trace(id, 1, 'NEW', 'dropped', 'overflow')
      outcomes[#outcomes + 1] = '0'
    end
  end
end
if #outcomes > 1 then
  outcome = table.concat(outcomes)
  call('SET', pushed, sequence .. ' ' .. outcome, 'PX', 600000)
end

if full and blocked == 'refuse' then
  call('HINCRBY', meta, 'refused', 1)
elseif blocked == 'others' or (full and blocked == 'wait') then
  call('ZADD', pushers, 'NX', now, client)
end
if full then
  known_due = next_due()
else
  made_room = room - entering -- if there is room left, others may wait for it
end
return finish(outcome)
