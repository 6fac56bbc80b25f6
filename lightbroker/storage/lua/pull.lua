-- READY -> LEASED, those that have been ready longest. ARGV: how many at most, 'no', 'wait' if the caller waits when
-- there is none, or 'crowd' if others of its process wait as well; the name of this call.
-- The reply: 0 and the leases that have to be ended first; or the deadline, 1 if the messages were too heavy to take
-- all that was asked for, then each as receipt and record.
local most, waits, name = tonumber(ARGV[9]), ARGV[10], ARGV[11]
local FEW, HEAVY = 100, 8388608 -- messages that are read together, and bytes after which no more are taken
local WINDOW = 600000000 -- microseconds within which a caller asks again

-- What an earlier try leased is still the caller's.
if again then
  local mine = {}
  for _, receipt in ipairs(call('ZRANGE', leased, now + lease - WINDOW, now + lease, 'BYSCORE')) do
    if string.find(receipt, '/' .. name .. '/', 17, true) then
      local _, _, _, id = read(leased_ticket(receipt))
      mine[#mine + 1] = receipt
      mine[#mine + 1] = call('HGET', messages, id)
    end
  end
  if mine[1] then
    return finish(tonumber(call('ZSCORE', leased, mine[1])), 0, unpack(mine))
  end
end

local first = earliest()
if first <= now then
  local over = catch_up()
  if over[1] or earliest() <= now then
    return finish(0, unpack(over))
  end
  first, soonest, made_ready = earliest(), FAR, 0
end

local deadline = later(lease)
local found, bytes = {}, 0
while most > 0 and bytes < HEAVY do
  local popped = call('ZPOPMIN', ready, math.min(most, FEW))
  local count = #popped / 2
  if count == 0 then
    break
  end
  local tickets, ids, leases = {}, {}, {}
  for i = 1, count do
    local ticket = popped[2 * i - 1]
    tickets[i] = ticket
    ids[i] = string.sub(ticket, string.find(ticket, ':', 1, true) + 1)
  end
  call('ZREM', mortal, unpack(tickets))
  local records, top = call('HMGET', messages, unpack(ids)), call('HINCRBY', meta, 'turn', count)
  for i = 1, count do
    local receipt = string.format('%016.0f/', top - count + i) .. name .. '/' .. tickets[i]
    leases[2 * i - 1], leases[2 * i] = deadline, receipt
    found[#found + 1] = receipt
    found[#found + 1] = records[i]
    bytes = bytes + #records[i]
    if traced then
      note(ids[i], read(tickets[i]), 'READY', 'LEASED', 'pull')
    end
  end
  call('ZADD', leased, unpack(leases))
  most = most - count
end

if waits == 'crowd' or (waits == 'wait' and not found[1]) then
  call('ZADD', pullers, 'NX', now, me)
end
known = first
if found[1] then
  soonest = deadline
  made_ready = call('ZCARD', ready) -- who waits may have these
end
return finish(deadline, most > 0 and bytes >= HEAVY and 1 or 0, unpack(found))
