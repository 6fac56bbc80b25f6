-- READY -> LEASED, those that have been ready longest. ARGV: how many at most, 'no', 'wait' if the caller waits when
-- there is none, or 'crowd' if others of its process wait as well; the name of this call.
-- The reply: 0 and the leases that have to be ended first; or the deadline, 1 if the messages were too heavy to take
-- all that was asked for, then each as receipt and record.
--> head
--> clock
local most, waits, name = tonumber(ARGV[9]), ARGV[10], ARGV[11]
local lease, FEW, HEAVY = tonumber(ARGV[6]), 100, 8388608 -- messages read together; bytes after which it is enough
local due_at = tonumber(call('HGET', meta, 'due')) or FAR
local deadline = math.min(FAR, now + lease)
local reply, size, bytes = {-1, 0, 0, notes, deadline, 0}, 6, 0

local function take()
  while most > 0 and bytes < HEAVY do
    local popped = call('ZPOPMIN', ready, math.min(most, FEW))
    local count = #popped / 2
    if count == 0 then
      return
    end
    local tickets, ids, leases = {}, {}, {}
    for i = 1, count do
      local ticket = popped[2 * i - 1]
      tickets[i], ids[i] = ticket, string.sub(ticket, string.find(ticket, ':', 1, true) + 1)
      popped[2 * i - 1], popped[2 * i] = deadline, string.format('%s/%04d/%s', name, (size - 6) / 2 + i, ticket)
    end
    call('ZREM', mortal, unpack(tickets))
    local records = call('HMGET', messages, unpack(ids))
    call('ZADD', leased, unpack(popped))
    for i = 1, count do
      reply[size + 1], reply[size + 2] = popped[2 * i], records[i]
      size, bytes = size + 2, bytes + #records[i]
    end
    most = most - count
  end
end

if now < due_at and not again and not traced then
  take()
  if size > 6 and due_at <= deadline and call('EXISTS', pullers, pushers) == 0 and waits ~= 'crowd' then
    reply[1], reply[6] = due_at - now, most > 0 and bytes >= HEAVY and 1 or 0
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
  if size > 6 then
    reply[5] = tonumber(call('ZSCORE', leased, reply[7]))
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
if size == 6 then
  take()
end
for i = 7, traced and size or 0, 2 do
  local _, attempts, _, _, id = string.match(reply[i], RECEIPT)
  note(id, attempts, 'READY', 'LEASED', 'pull')
end
if waits == 'crowd' or (waits == 'wait' and size == 6) then
  call('ZADD', pullers, 'NX', now, me)
end
known = due_at
if size > 6 then
  soonest = deadline
  made_ready = call('ZCARD', ready) -- who waits may have these
end
return finish(deadline, most > 0 and bytes >= HEAVY and 1 or 0, unpack(reply, 7))
