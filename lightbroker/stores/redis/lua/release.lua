-- Release: LEASED -> READY, and the delivery does not count as an attempt.
--
-- ARGV   receipt
-- Reply  the time, and 1 if the lease held
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced dead_capacity
--> arguments again now receipt
--> schema
--> clock
--> reply
--> moves
local deadline = tonumber(call('ZSCORE', leased, receipt))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
call('ZREM', leased, receipt)
local entry, attempts, _, _, id = string.match(receipt, RECEIPT)
requeue(entry, 0)
trace(id, attempts, 'LEASED', 'READY', 'release')
return finish(string.format('%.0f', now), 1)
