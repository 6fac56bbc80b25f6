-- LEASED -> READY. ARGV: the receipt. The reply: the time, and 1 if the lease held.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced dead_capacity
--> head
--> clock
--> finish
--> moves
local deadline = tonumber(call('ZSCORE', leased, ARGV[REST + 1]))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
call('ZREM', leased, ARGV[REST + 1])
local ticket, attempts, _, _, id = string.match(ARGV[REST + 1], RECEIPT)
put(ticket, 0)
note(id, attempts, 'LEASED', 'READY', 'release')
return finish(string.format('%.0f', now), 1)
