-- READY -> LEASED, those that have been ready longest. ARGV: how many at most, 'no', 'wait' if the caller waits when
-- there is none, or 'crowd' if others of its process wait as well; the name of this call.
-- The reply: 0 and the leases that have to be ended first; or the deadline, 1 if there are more than can be taken at
-- once, then each message as receipt and record.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced dead_capacity lease
--> head
--> clock
local most, waits, name = tonumber(ARGV[REST + 1]), ARGV[REST + 2], ARGV[REST + 3]
-- Messages that are read together, and messages and bytes after which it is enough for one call.
local FEW, MANY, HEAVY = 100, 1000, 8388608
local due_at = tonumber(call('HGET', meta, 'due')) or FAR
local deadline = math.min(FAR, now + tonumber(lease))
local reply, size, bytes = {0, deadline, 0}, 3, 0

local function take()
  local some = math.min(most, MANY)
  while some > 0 and bytes < HEAVY do
    local popped = call('ZPOPMIN', ready, math.min(some, FEW))
    local count = #popped / 2
    if count == 0 then
      return
    end
    local tickets, ids, timed = {}, {}, false
    for i = 1, count do
      local ticket = popped[2 * i - 1]
      timed = timed or string.find(ticket, 't:', 1, true)
      tickets[i], ids[i] = ticket, string.sub(ticket, string.find(ticket, ':', 1, true) + 1)
      popped[2 * i - 1], popped[2 * i] = deadline, string.format('%s/%04d/%s', name, (size - 3) / 2 + i, ticket)
    end
    if timed then
      call('ZREM', mortal, unpack(tickets))
    end
    local records = call('HMGET', messages, unpack(ids))
    call('ZADD', leased, unpack(popped))
    for i = 1, count do
      reply[size + 1], reply[size + 2] = popped[2 * i], records[i]
      size, bytes = size + 2, bytes + #records[i]
    end
    most, some = most - count, some - count
  end
end

if now < due_at and not again and traced ~= '1' then
  take()
  if size > 3 and due_at <= deadline and call('EXISTS', pullers, pushers) == 0 and waits ~= 'crowd' then
    reply[3] = most > 0 and call('EXISTS', ready) or 0
    return reply
  end
end
--> finish
--> moves
--> due
-- What an earlier try leased is still the caller's: within the time for which one tries.
if again then
  local from = deadline - 600000000
  for _, receipt in ipairs(call('ZRANGE', leased, from, deadline, 'BYSCORE')) do
    if string.sub(receipt, 1, #name + 1) == name .. '/' then
      local _, _, _, _, id = string.match(receipt, RECEIPT)
      reply[size + 1], reply[size + 2] = receipt, call('HGET', messages, id)
      size = size + 2
    end
  end
  if size > 3 then
    reply[2] = tonumber(call('ZSCORE', leased, reply[4]))
    return reply
  end
end
if now >= due_at then
  local over = catch_up()
  if over[1] or known <= now then
    return finish(0, unpack(over))
  end
  due_at, made_ready = known, 0
end
if size == 3 then
  take()
end
for i = 4, traced == '1' and size or 0, 2 do
  local _, attempts, _, _, id = string.match(reply[i], RECEIPT)
  note(id, attempts, 'READY', 'LEASED', 'pull')
end
if waits == 'crowd' or (waits == 'wait' and size == 3) then
  call('ZADD', pullers, 'NX', now, me)
end
known = due_at
if size > 3 then
  soonest = deadline
  made_ready = call('ZCARD', ready) -- who waits may have these
end
return finish(deadline, most > 0 and call('EXISTS', ready) or 0, unpack(reply, 4))
