-- Pull: READY -> LEASED, the messages that have been READY longest.
--
-- ARGV   most: how many messages at most; waits: what becomes of a caller for whom there is none: 'wait' lists the
--        process as waiting for a message, 'others' lists it in any case, since other threads of it wait too, 'no' does
--        nothing; name: of this call, with which its receipts begin
-- Reply  0 and the receipts of the leases that expired and have to be ended first; or the time when the new leases
--        expire, 1 if more messages are READY than one call takes, then for each message its receipt and its record
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced dead_capacity lease
--> arguments again now most waits name
--> schema
--> clock
most = tonumber(most)
-- Messages that are read at a time, and messages and bytes after which one call has taken enough.
local FEW, MANY, HEAVY = 100, 1000, 8388608
local due_at = tonumber(call('HGET', meta, 'due')) or INFINITY
local deadline = math.min(INFINITY, now + tonumber(lease))
local reply, size, bytes = {0, deadline, 0}, 3, 0

local function take()
  local some = math.min(most, MANY)
  while some > 0 and bytes < HEAVY do
    local popped = call('ZPOPMIN', ready, math.min(some, FEW))
    local count = #popped / 2
    if count == 0 then
      return
    end
    local entries, ids, timed = {}, {}, false
    for i = 1, count do
      local entry = popped[2 * i - 1]
      timed = timed or string.find(entry, 't:', 1, true)
      entries[i], ids[i] = entry, string.sub(entry, string.find(entry, ':', 1, true) + 1)
      popped[2 * i - 1], popped[2 * i] = deadline, string.format('%s/%04d/%s', name, (size - 3) / 2 + i, entry)
    end
    if timed then
      call('ZREM', mortal, unpack(entries))
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

-- Most pulls end here: nothing is due, there was a message, and nobody waits.
if now < due_at and not again and traced ~= '1' then
  take()
  if size > 3 and due_at <= deadline and call('EXISTS', pullers, pushers) == 0 and waits ~= 'others' then
    reply[3] = most > 0 and call('EXISTS', ready) or 0
    return reply
  end
end
--> reply
--> moves
--> catch_up
-- What an earlier try leased is still the caller's, if it was leased within the time for which a caller tries.
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
  if over[1] or known_due <= now then
    return finish(0, unpack(over))
  end
  due_at, made_ready = known_due, 0
end
if size == 3 then
  take()
end
for i = 4, traced == '1' and size or 0, 2 do
  local _, attempts, _, _, id = string.match(reply[i], RECEIPT)
  trace(id, attempts, 'READY', 'LEASED', 'pull')
end
if waits == 'others' or (waits == 'wait' and size == 3) then
  call('ZADD', pullers, 'NX', now, client)
end
known_due = due_at
if size > 3 then
  new_due = deadline
  made_ready = call('ZCARD', ready) -- other waiters may have these
end
return finish(deadline, most > 0 and call('EXISTS', ready) or 0, unpack(reply, 4))
