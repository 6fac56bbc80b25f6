-- LEASED -> DELAYED, READY or DEAD. ARGV: 'nack' or 'lease expired', the error as JSON, then each lease as receipt and
-- microseconds until the next try, -1 if that was the last. A nack needs a lease that holds, the other one that is
-- over. The reply: the time, and how many failed so.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced dead_capacity
--> head
--> clock
--> finish
--> moves
local cause, error = ARGV[REST + 1], ARGV[REST + 2]
local expired = cause == 'lease expired'
local done = 0
for i = REST + 3, #ARGV, 2 do
  local receipt, wait = ARGV[i], tonumber(ARGV[i + 1])
  local deadline = tonumber(call('ZSCORE', leased, receipt))
  if deadline and (deadline <= now) == expired then
    local _, attempts, failed, timed, id = string.match(receipt, RECEIPT)
    call('ZREM', leased, receipt)
    blame(id, failed, error)
    if wait < 0 then
      bury(id, timed, attempts, 'max_attempts', 'LEASED')
    else
      local state = put(attempts + 1 .. 'f' .. timed .. ':' .. id, wait)
      call('HINCRBY', meta, 'retried', 1)
      note(id, attempts, 'LEASED', state, cause)
    end
    done = done + 1
  end
end
return finish(string.format('%.0f', now), done)
