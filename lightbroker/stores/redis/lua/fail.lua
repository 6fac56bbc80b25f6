-- A delivery failed, by a nack or because its lease expired: LEASED -> DELAYED or READY for a retry, or DEAD.
--
-- ARGV   cause: 'nack' or 'lease expired'; error: as JSON. REST: for each lease its receipt and the microseconds until
--        the message is READY again, or -1 if that was the last attempt
-- Reply  the time, and how many leases were ended: by a nack if the lease holds, else if it is over
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced dead_capacity
--> arguments again now cause error
--> schema
--> clock
--> reply
--> moves
local expired = cause == 'lease expired'
local done = 0
for i = REST + 1, #ARGV, 2 do
  local receipt, wait = ARGV[i], tonumber(ARGV[i + 1])
  local deadline = tonumber(call('ZSCORE', leased, receipt))
  if deadline and (deadline <= now) == expired then
    local _, attempts, failed, timed, id = string.match(receipt, RECEIPT)
    call('ZREM', leased, receipt)
    record_failure(id, failed, error)
    if wait < 0 then
      make_dead(id, timed, attempts, 'max_attempts', 'LEASED')
    else
      local state = requeue(attempts + 1 .. 'f' .. timed .. ':' .. id, wait)
      call('HINCRBY', meta, 'retried', 1)
      trace(id, attempts, 'LEASED', state, cause)
    end
    done = done + 1
  end
end
return finish(string.format('%.0f', now), done)
