-- Ack: LEASED -> acked.
--
-- ARGV   REST: receipts
-- Reply  the time, then the position of each receipt whose lease is over
--> keys meta messages leased expiry failure pullers pushers
--> options client traced
--> arguments again now
--> schema
--> clock
local count = #ARGV - REST
local deadlines = call('ZMSCORE', leased, unpack(ARGV, REST + 1))
local receipts, ids, lost, failures, times, seen = {}, {}, {}, {}, {}, {}
for i = 1, count do
  local receipt, deadline = ARGV[REST + i], tonumber(deadlines[i])
  if deadline and deadline > now and not seen[receipt] then
    seen[receipt] = true
    local _, attempts, failed, timed, id = string.match(receipt, RECEIPT)
    receipts[#receipts + 1], ids[#ids + 1] = receipt, id
    if failed == 'f' then
      failures[#failures + 1] = id
    end
    if timed == 't' then
      times[#times + 1] = id
    end
  else
    lost[#lost + 1] = i
  end
end
made_room = #ids
if made_room > 0 then
  call('ZREM', leased, unpack(receipts))
  call('HDEL', messages, unpack(ids))
  if failures[1] then
    call('HDEL', failure, unpack(failures))
  end
  if times[1] then
    call('HDEL', expiry, unpack(times))
  end
  call('HINCRBY', meta, 'acked', made_room)
end
-- Most acks end here: no lease was over, and nobody waits for room.
if not lost[1] and traced ~= '1' and call('EXISTS', pushers) == 0 then
  return {0, 0}
end
--> reply
for _, receipt in ipairs(receipts) do
  local _, attempts, _, _, id = string.match(receipt, RECEIPT)
  trace(id, attempts, 'LEASED', 'acked', 'ack')
end
return finish(string.format('%.0f', now), unpack(lost))
