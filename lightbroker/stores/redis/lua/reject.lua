-- Reject: LEASED -> DEAD.
--
-- ARGV   receipt; error: as JSON
-- Reply  the time, and 1 if the lease held
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced dead_capacity
--> arguments again now receipt error
--> schema
--> clock
--> reply
--> moves
local deadline = tonumber(call('ZSCORE', leased, receipt))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
call('ZREM', leased, receipt)
local _, attempts, failed, timed, id = string.match(receipt, RECEIPT)
record_failure(id, failed, error)
make_dead(id, timed, attempts, 'rejected', 'LEASED')
return finish(string.format('%.0f', now), 1)
