-- NEW -> READY, DELAYED, dropped or DEAD. `pushed`: what became of the last push under this name. ARGV: its number
-- there, delay, time to live or '', what becomes of a blocked caller (see below), then each message as id and record.
-- The reply has a letter for each that was accepted, '1' or, if it was dropped, '0'; a full queue ends it early.
--> keys meta messages ready delayed dead mortal expiry failure pullers pushers pushed
--> arguments me traced capacity dead_capacity policy
--> head
local number, delay, ttl, blocked = ARGV[REST + 1], tonumber(ARGV[REST + 2]), tonumber(ARGV[REST + 3]), ARGV[REST + 4]
local BODY = REST + 4 -- ARGV[BODY + 2 * i] is the record of message i, its id stands before it
local count = (#ARGV - BODY) / 2

local room = count
capacity = tonumber(capacity)
if capacity < FAR then
  room = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
local entering = math.min(count, room)
local outcome = string.rep('1', entering)

-- A number is accepted once: a caller whose reply was lost sends it again, and a connection that was given up may
-- still carry the first one here later.
local before = call('SET', pushed, number .. ' ' .. outcome, 'PX', 600000, 'GET')
if before then
  local last, what = string.match(before, '^(%d+) (%d*)$')
  if tonumber(last) >= tonumber(number) then
    call('SET', pushed, before, 'PX', 600000)
    return {0, last == number and what or ''}
  end
end

if delay > 0 or ttl then
--> clock
end
local suffix = ttl and 't:' or ':'
local at, over = delay > 0 and math.min(FAR, now + delay), ttl and math.min(FAR, now + ttl)
local function enter(from, many)
  local place, tickets = call('HINCRBY', meta, 'turn', many) - many, {}
  call('HSET', messages, unpack(ARGV, BODY + 2 * from - 1, BODY + 2 * (from + many - 1)))
  for i = 1, many do
    local id = ARGV[BODY + 2 * (from + i) - 3]
    local ticket = '1' .. suffix .. id
    if over then
      call('HSET', expiry, id, string.format('%.0f', over))
    end
    if delay > 0 then
      tickets[2 * i - 1], tickets[2 * i] = at, string.format('%016.0f', place + i) .. ticket
    else
      tickets[2 * i - 1], tickets[2 * i] = place + i, ticket
      if over then
        call('ZADD', mortal, over, ticket)
      end
    end
  end
  if delay > 0 then
    call('ZADD', delayed, unpack(tickets))
    soonest = at
  else
    call('ZADD', ready, unpack(tickets))
    made_ready = made_ready + many
    soonest = over or FAR
  end
end
if entering > 0 then
  enter(1, entering)
end
if entering == count and soonest == FAR and traced ~= '1' and blocked ~= 'crowd' and call('EXISTS', pullers, pushers) == 0 then
  return {0, outcome}
end
--> clock
--> finish
--> moves
for i = 1, entering do
  note(ARGV[BODY + 2 * i - 1], 0, 'NEW', delay > 0 and 'DELAYED' or 'READY', 'push')
end
local taken, full = {outcome}, false
for i = entering + 1, count do
  local id, record = ARGV[BODY + 2 * i - 1], ARGV[BODY + 2 * i]
  if policy == 'block' or policy == 'reject' then
    full = true
    break
  elseif policy == 'dead_letter' then
    call('HSET', messages, id, record)
    blame(id, '', '["",""]')
    bury(id, '', 0, 'overflow', 'NEW')
    taken[#taken + 1] = '1'
  else
    local oldest = policy == 'drop_oldest' and call('ZPOPMIN', ready)[1]
    call('HINCRBY', meta, 'dropped', 1)
    if oldest then
      local attempts, failed, timed, victim = string.match(oldest, TICKET)
      call('ZREM', mortal, oldest)
      forget(victim, failed, timed)
      note(victim, attempts, 'READY', 'dropped', 'overflow')
      enter(i, 1)
      note(id, 0, 'NEW', delay > 0 and 'DELAYED' or 'READY', 'push')
      taken[#taken + 1] = '1'
    else
      call('HINCRBY', meta, 'turn', 1)
      note(id, 1, 'NEW', 'dropped', 'overflow')
      taken[#taken + 1] = '0'
    end
  end
end
if #taken > 1 then
  outcome = table.concat(taken)
  call('SET', pushed, number .. ' ' .. outcome, 'PX', 600000)
end

-- 'refuse': a full queue is the end of it. 'wait': the caller waits for room. 'crowd': and others of its process do.
if full and blocked == 'refuse' then
  call('HINCRBY', meta, 'refused', 1)
elseif blocked == 'crowd' or (full and blocked == 'wait') then
  call('ZADD', pushers, 'NX', now, me)
end
if full then
  known = due()
else
  left = room - entering -- if there is room and somebody waits for it
end
return finish(outcome)
