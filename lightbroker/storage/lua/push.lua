-- NEW -> READY, DELAYED, dropped or DEAD. KEYS[12]: what became of the last push under this name. ARGV: its number
-- there, delay, time to live or '', what becomes of a blocked caller (see below), then each message as id and record.
-- The reply has a letter for each that was accepted, '1' or, if it was dropped, '0'; a full queue ends it early.
local number, delay, ttl, blocked = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local BODY = 13
local count = (#ARGV - BODY + 1) / 2
local pushed = KEYS[12]

-- A number is accepted once: a caller whose reply was lost sends it again, and a connection that was given up may
-- still carry the first one here later.
local known, outcome = string.match(call('GET', pushed) or '', '^(%d+) (%d+)$')
if known and tonumber(known) >= number then
  return finish(tonumber(known) == number and outcome or '')
end

local suffix = ttl and 't:' or ':'
local function enter(from, many)
  local top, tickets = turn(many), {}
  call('HSET', messages, unpack(ARGV, BODY + 2 * from - 2, BODY + 2 * (from + many) - 3))
  for i = 1, many do
    local id = ARGV[BODY + 2 * (from + i) - 4]
    local place, ticket = top - many + i, '1' .. suffix .. id
    if ttl then
      local at = later(ttl)
      call('HSET', expiry, id, string.format('%.0f', at))
      if delay == 0 then
        call('ZADD', mortal, at, ticket)
        soonest = math.min(soonest, at)
      end
    end
    if delay > 0 then
      place, ticket = later(delay), string.format('%016.0f', place) .. ticket
    end
    tickets[2 * i - 1], tickets[2 * i] = place, ticket
    note(id, 0, 'NEW', delay > 0 and 'DELAYED' or 'READY', 'push')
  end
  call('ZADD', delay > 0 and delayed or ready, unpack(tickets))
  call('HINCRBY', meta, 'accepted', many)
  if delay > 0 then
    soonest = math.min(soonest, later(delay))
  else
    made_ready = made_ready + many
  end
end

local room = count
if capacity < math.huge then
  room = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
local entering = math.min(count, room)
if entering > 0 then
  enter(1, entering)
end
local taken = {string.rep('1', entering)}
local full = false
for i = entering + 1, count do
  local id, record = ARGV[BODY + 2 * i - 2], ARGV[BODY + 2 * i - 1]
  if policy == 'block' or policy == 'reject' then
    full = true
    break
  elseif policy == 'dead_letter' then
    call('HSET', messages, id, record)
    call('HINCRBY', meta, 'accepted', 1)
    blame(id, '', '["",""]')
    bury(id, '', 0, 'overflow', 'NEW')
    taken[#taken + 1] = '1'
  else
    local oldest = policy == 'drop_oldest' and call('ZPOPMIN', ready)[1]
    call('HINCRBY', meta, 'dropped', 1)
    if oldest then
      local attempts, failed, timed, victim = read(oldest)
      call('ZREM', mortal, oldest)
      forget(victim, failed, timed)
      note(victim, attempts, 'READY', 'dropped', 'overflow')
      enter(i, 1)
      taken[#taken + 1] = '1'
    else
      call('HINCRBY', meta, 'accepted', 1)
      note(id, 1, 'NEW', 'dropped', 'overflow')
      taken[#taken + 1] = '0'
    end
  end
end
outcome = table.concat(taken)
if outcome ~= '' then
  call('SET', pushed, string.format('%.0f ', number) .. outcome, 'PX', 600000)
end

-- 'refuse': a full queue is the end of it. 'wait': the caller waits for room. 'crowd': and others of its process do.
if full and blocked == 'refuse' then
  call('HINCRBY', meta, 'refused', 1)
elseif blocked == 'crowd' or (full and blocked == 'wait') then
  call('ZADD', pushers, 'NX', now, me)
end
if full and blocked ~= 'refuse' then
  known = earliest()
elseif not full and room > entering then
  left = room - entering -- if there is room and somebody waits for it
end
return finish(outcome)
