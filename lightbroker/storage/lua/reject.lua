-- LEASED -> DEAD. ARGV: the receipt, the error as JSON. The reply: the time, and 1 if the lease held.
--> head
--> clock
--> finish
--> moves
local deadline = tonumber(call('ZSCORE', leased, ARGV[9]))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
call('ZREM', leased, ARGV[9])
local _, attempts, failed, timed, id = string.match(ARGV[9], RECEIPT)
blame(id, failed, ARGV[10])
bury(id, timed, attempts, 'rejected', 'LEASED')
return finish(string.format('%.0f', now), 1)
