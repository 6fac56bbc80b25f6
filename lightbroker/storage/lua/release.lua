-- LEASED -> READY. ARGV: the receipt. The reply: the time, and 1 if the lease held.
--> head
--> clock
--> finish
--> moves
local deadline = tonumber(call('ZSCORE', leased, ARGV[9]))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
call('ZREM', leased, ARGV[9])
local ticket, attempts, _, _, id = string.match(ARGV[9], RECEIPT)
put(ticket, 0)
note(id, attempts, 'LEASED', 'READY', 'release')
return finish(string.format('%.0f', now), 1)
